/* The version of p11-kit whose interface this is, for the preprocessor. */
#ifndef P11_KIT_VERSION_H
#define P11_KIT_VERSION_H 1

#define P11_KIT_VERSION_MAJOR 0
#define P11_KIT_VERSION_MINOR 26
#define P11_KIT_VERSION_MICRO 4

/* Whether it is this version or a later one. */
#define P11_KIT_CHECK_VERSION(major, minor, micro) \
	(P11_KIT_VERSION_MAJOR > (major) || \
	 (P11_KIT_VERSION_MAJOR == (major) && P11_KIT_VERSION_MINOR > (minor)) || \
	 (P11_KIT_VERSION_MAJOR == (major) && P11_KIT_VERSION_MINOR == (minor) && P11_KIT_VERSION_MICRO >= (micro)))

#endif
