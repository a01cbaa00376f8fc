/* testpoint.h - named places where a test may kill or stop the process. Compiled in only with
 * WEIR_TESTPOINTS.
 *
 * WEIR_KILL_AT=name:n kills this process (SIGKILL) at the n-th time it reaches the point of that
 * name; WEIR_STOP_AT=name:n stops it there (SIGSTOP) until someone sends SIGCONT.
 */
#ifndef WEIR_BASE_TESTPOINT_H
#define WEIR_BASE_TESTPOINT_H

#ifdef WEIR_TESTPOINTS
void testpoint_reached(const char *name);
#define TESTPOINT(name) testpoint_reached(name)
#else
#define TESTPOINT(name) ((void)0)
#endif

#endif
