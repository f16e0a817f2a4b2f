// The version under which glibc exports the symbols that it no longer lets anyone link against: its oldest
// one.
#pragma once

#if defined(__x86_64__)
#define MEMPROBE_COMPAT "GLIBC_2.2.5"
#elif defined(__riscv)
#define MEMPROBE_COMPAT "GLIBC_2.27"
#elif defined(__powerpc64__) || defined(__aarch64__)
#define MEMPROBE_COMPAT "GLIBC_2.17"
#elif defined(__s390x__)
#define MEMPROBE_COMPAT "GLIBC_2.2"
#else
#define MEMPROBE_COMPAT "GLIBC_2.0"
#endif
