/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack: memory of the calling thread's stack that is not in use. What a thread has once touched
 * stays resident; one that has been deep (in a look-up, say) and then waits long needs only what it
 * stands on.
 *
 * Thread rule: any thread, for itself.
 */
#ifndef RB_BASE_STACK_H
#define RB_BASE_STACK_H

/*
 * Gives the pages below the caller's frame back to the system: the next call that goes deeper gets
 * fresh ones. Costs two system calls, so it is for those who wait long. Does nothing in a process's
 * first thread, whose stack has no fixed size.
 */
void stack_release(void);

#endif
