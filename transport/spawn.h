/* Starting a program that is no child of the host; see spawn.c. */
#ifndef P11_TRANSPORT_SPAWN_H
#define P11_TRANSPORT_SPAWN_H

/*
 * Starts argv[0], found in PATH, with the socket as descriptors 0 and 1 and no
 * other but 2. argv ends with NULL. The environment is the host's, with variable,
 * which is NAME=VALUE, in place of one of that name. *process becomes a descriptor of the process
 * (pidfd_open(2)), -1 where the system has none. 0, or an error number. From any
 * thread.
 */
int p11_transport_spawn(char *const argv[], const char *variable, int socket, int *process);

#endif
