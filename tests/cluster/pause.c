/* SPDX-License-Identifier: Apache-2.0 */
/* The first process of every pod: keeps its namespaces, and where containers share them, reaps. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

int main(void)
{
    sigset_t signals;
    int received = 0;

    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    while (received != SIGINT && received != SIGTERM) {
        if (sigwait(&signals, &received) != 0) {
            return EXIT_FAILURE;
        }
        while (waitpid(-1, NULL, WNOHANG) > 0) {
        }
    }
    return EXIT_SUCCESS;
}
