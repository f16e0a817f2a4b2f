// Every topic of the second addon; each is defined in the file of its name.
#pragma once

#include "row.h"

namespace memprobe::numa {

namespace topic {
extern const bind::Topic topology, policy, alloc, run, move, bitmask, parse, error;
}

inline constexpr const bind::Topic* topics[] = {
    &topic::topology, &topic::policy,  &topic::alloc, &topic::run,
    &topic::move,     &topic::bitmask, &topic::parse, &topic::error,
};

}  // namespace memprobe::numa
