// numa(3): libnuma's complaints and what they lead to. Nothing here ends the process.
#include "topics.h"

namespace memprobe::numa {
namespace {

template <std::atomic<int>& Variable>
int variable(std::optional<int> value) {
  if (value) Variable = *value;
  return Variable;
}

constexpr bind::Entry table[] = {
    LIBNUMA_SHAPE(numa_error, Done, "where", [](const char* where) { complaints().err(where); }),
    LIBNUMA_SHAPE(numa_warn, Done, "number text",
                  [](int, const char* text) { complaints().warn(text); }),
    LIBNUMA_SHAPE(numa_exit_on_error, Never, "value", [](std::optional<int> value) { return variable<exit_on_error>(value); }),
    LIBNUMA_SHAPE(numa_exit_on_warn, Never, "value", [](std::optional<int> value) { return variable<exit_on_warn>(value); }),
};

}  // namespace

const bind::Topic topic::error{"error", "numa.h", table};

}  // namespace memprobe::numa
