// brk(2), sbrk(2)
#include <unistd.h>

#include "../topics.h"

namespace memprobe {
namespace {

constexpr bind::Entry table[] = {
    FN(brk, MinusOne, "addr").guarded<guard::MovesBreak>(),
    FN(sbrk, MapFailed, "increment").guarded<guard::MovesBreak>(),
};

}  // namespace

const bind::Topic topic::brk{"brk", "unistd.h", table};

}  // namespace memprobe
