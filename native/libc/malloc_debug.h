// libc_malloc_debug.so.0: under which mtrace, mcheck and the hooks act, since glibc 2.34.
#pragma once

#include "../bind/failure.h"

namespace memprobe::malloc_debug {

// A function or variable under the version that glibc keeps for old programs: plain dlsym finds libc's empty
// one, or nothing. nullptr where there is none.
void* symbol(const char* name);

// Why debugging does not act in this process, and what to do; no failure where it does.
Failure inactive();

// mprobe(3): of the preloaded mcheck.c where it is, which returns what it finds; glibc's own would end the
// process. MCHECK_DISABLED where mcheck is off.
int probe(void* block);
bool mcheck_is_on();

// A checker (mcheck, MALLOC_CHECK_) has put its own marks around blocks: they are not glibc's to take as they
// are.
bool checked();

// mtrace is writing a log, as far as can be known.
bool traced();

// Node unloads the addon with the last environment that uses it: not what the C library, or the process, has
// been given of it.
void stay_loaded();

}  // namespace memprobe::malloc_debug
