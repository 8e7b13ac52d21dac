/*
 * Processes and files of a test: started, waited for by asking, and gone afterwards, however the test ends.
 *
 * Folders are removed and programs ended also when the test fails, crashes or is killed: programs get a signal from
 * the kernel when the thread that started them is gone, and a folder has a guard, a small process that sees its
 * maker's end. One thread: main().
 */
#ifndef TANDEM_CHECK_HARNESS_PROCESS_H
#define TANDEM_CHECK_HARNESS_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct process {
    pid_t pid;             /* 0: none */
    char log[160];         /* where its output goes */
};

/** Starts a program (argv ends with NULL) with its output added to the file log. end_signal is what it gets when the
 *  test ends first. ERR_IO. */
enum err must_check process_start(const char *const *argv, const char *log, int end_signal, struct process *ret);

/** Whether it has not ended; then *ret_status (may be NULL) is as of waitpid(2), and the process is forgotten. */
bool process_runs(struct process *process, int *ret_status);

/** Sends a signal and waits. After timeout_ms it is killed, which is ERR_DEADLINE; ERR_INTERNAL, with a cause that
 *  quotes its log, unless it exited with 0. Nothing for one that was not started. */
enum err must_check process_stop(struct process *process, int signal, unsigned timeout_ms);

/** Ends it at once, and waits. */
void process_kill(struct process *process);

/** Runs a program to its end. ERR_IO, or ERR_INTERNAL with the log's end as cause unless it exited with 0. */
enum err must_check process_run(const char *const *argv, const char *log);

/** Asks every few milliseconds until it holds; false when it has not within timeout_ms. */
bool process_until(bool (*holds)(void *context), void *context, unsigned timeout_ms);

/** A TCP port of 127.0.0.1 that was free a moment ago. */
unsigned process_free_port(void);

/** A new folder, writable by this user only, with a short path (sockets in it); removed when the test ends, however it
 *  does, unless TANDEM_KEEP is set. The string is the caller's to free(). NULL when it cannot be made. */
char *process_folder(void);

/** Removes a folder with all that is in it. */
void process_remove(const char *folder);

#endif
