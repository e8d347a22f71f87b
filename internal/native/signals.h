/* How a process ends that a module brings down. */
#ifndef P11_NATIVE_SIGNALS_H
#define P11_NATIVE_SIGNALS_H

/* Gives the signals of crashes their usual effect, which is to end the process. */
void p11_native_usual_crashes(void);

#endif
