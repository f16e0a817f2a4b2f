// Every topic of the addon; each is defined in the file of its name.
#pragma once

#include "bind/bind.h"

namespace memprobe {

namespace topic {
extern const bind::Topic page, brk, mmap, madvise, mincore, mlock, malloc, mallinfo, memory, mtrace, mcheck, hooks,
    hook_counts, malloc_debug, guard, maps, smaps, heap, doctor, mempolicy,
    mtrace_log, mapping, file, replay;
}

inline constexpr const bind::Topic* topics[] = {
    &topic::page,   &topic::brk,      &topic::mmap,   &topic::madvise, &topic::mincore,     &topic::mlock,
    &topic::malloc, &topic::mallinfo, &topic::memory, &topic::mtrace,  &topic::mcheck,      &topic::hooks,
    &topic::guard,  &topic::maps,     &topic::smaps,  &topic::heap,    &topic::hook_counts, &topic::malloc_debug,
    &topic::doctor, &topic::mempolicy, &topic::mtrace_log, &topic::mapping, &topic::file,
    &topic::replay,
};

}  // namespace memprobe
