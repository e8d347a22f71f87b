/* The third consumer opens p11-kit-proxy.so as NSS does. */
#include "../goproxy/proxy.c"
