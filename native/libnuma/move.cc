// numa(3): pages that are there already, of this process or another: move_pages(2), migrate_pages(2).
#include "topics.h"

namespace memprobe::numa {
namespace {

using js::PageNodes;
using js::Pages;

// What the kernel did not come to keeps EAGAIN, which it never says of a page itself.
Result<std::vector<int>> moved(int pid, const Pages& pages, const PageNodes* nodes, int flags) {
  if (nodes != nullptr && nodes->size() != pages.size()) {
    return {.failure = fail("ERR_OUT_OF_RANGE", "The value of \"nodes\" is out of range. It must have a node for each of " +
                                                    std::to_string(pages.size()) + " pages. Received " +
                                                    std::to_string(nodes->size()))};
  }
  Result<std::vector<int>> result{.value = std::vector<int>(pages.size(), -EAGAIN)};
  auto** addresses = const_cast<void**>(pages.data());
  const int* to = nodes == nullptr ? nullptr : nodes->data();
  if (::numa_move_pages(pid, pages.size(), addresses, to, result.value.data(), flags) == -1) {
    result.failure = explain(errno);
  }
  return result;
}

constexpr bind::Entry table[] = {
    LIBNUMA_SHAPE(numa_move_pages, Told, "pid pages nodes flags",
                  [](int pid, const Pages& pages, const PageNodes* nodes, int flags) {
                    return moved(pid, pages, nodes, flags);
                  }),
    // How many pages could not be moved.
    LIBNUMA(numa_migrate_pages, ValueOrMinusOne, "pid from to"),
};

}  // namespace

const bind::Topic topic::move{"move", "numa.h", table};

}  // namespace memprobe::numa
