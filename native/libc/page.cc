// getpagesize(2)
#include <unistd.h>

#include "../topics.h"

namespace memprobe {
namespace {

constexpr bind::Entry table[] = {
    FN(getpagesize, Never, ""),
};

}  // namespace

const bind::Topic topic::page{"page", "unistd.h", table};

}  // namespace memprobe
