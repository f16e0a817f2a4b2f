// mbind(2), set_mempolicy(2), get_mempolicy(2), move_pages(2), migrate_pages(2), set_mempolicy_home_node(2)
// Plain system calls: libnuma, which declares them for C, need not be there.
#include <linux/mempolicy.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../bind/numa.h"
#include "../topics.h"

#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450  // Linux 5.17
#endif
#ifndef MPOL_F_NUMA_BALANCING
#define MPOL_F_NUMA_BALANCING (1 << 13)  // Linux 5.12
#endif
// Modes are enumerators, which can't be asked for; where the header has them these say the same.
#define MPOL_PREFERRED_MANY 5       // Linux 5.15
#define MPOL_WEIGHTED_INTERLEAVE 6  // Linux 6.9

namespace memprobe {

struct Policy {
  int mode = 0;
  js::NodeMask nodes = {};
};

template <>
struct js::Out<Policy> {
  static std::string ts() { return "{ mode: number; nodes: number[] }"; }
  static napi_value write(napi_env env, const Policy& from, Arguments arguments) {
    napi_value object = nullptr;
    napi_value mode = Out<int>::write(env, from.mode, arguments);
    napi_value nodes = Out<NodeMask>::write(env, from.nodes, arguments);
    const bool ok = mode != nullptr && nodes != nullptr && napi_create_object(env, &object) == napi_ok &&
                    napi_set_named_property(env, object, "mode", mode) == napi_ok &&
                    napi_set_named_property(env, object, "nodes", nodes) == napi_ok;
    return ok ? object : nullptr;
  }
};

namespace {

using js::NodeMask;
using js::PageNodes;
using js::Pages;
using Done = Result<bind::Void>;

// EPERM that is not the kernel's own. It never says so to the calls that are not asked here; these, with nothing but
// zeroes, do nothing and ask for no privilege.
bool filtered(long call) {
  if (call != SYS_mbind && call != SYS_move_pages && call != SYS_migrate_pages) return true;
  return syscall(call, 0L, 0L, 0L, 0L, 0L, 0L) == -1 && errno == EPERM;
}

Failure explain(long call, int error) {
  if (error != EPERM) return fail(error);
  if (!filtered(call)) {
    return {.number = EPERM, .message = "Operation not permitted; MPOL_MF_MOVE_ALL, other users' processes and nodes "
                                        "outside one's cpuset want CAP_SYS_NICE"};
  }
  return {.number = EPERM, .message = "Operation not permitted; a seccomp filter refuses this call, as container "
                                      "profiles do without CAP_SYS_NICE (docker run --cap-add SYS_NICE)"};
}

template <class... A>
Result<long> call(long number, A... arguments) {
  const long result = syscall(number, arguments...);
  if (result == -1) return {.failure = explain(number, errno)};
  return {.value = result};
}

template <class... A>
Done done(long number, A... arguments) {
  return {.failure = call(number, arguments...).failure};
}

const unsigned long* bits(const NodeMask* nodes) { return nodes == nullptr ? nullptr : nodes->words.data(); }
unsigned long maxnode(const NodeMask* nodes) { return nodes == nullptr ? 0 : nodes->maxnode(); }

// The kernel wants room for as many nodes as it could have, which only it knows: all that it takes.
Result<Policy> policy_of(std::optional<void*> addr, std::optional<unsigned> flags) {
  Policy policy{.nodes = {std::vector<unsigned long>(NodeMask::kBits / NodeMask::kWordBits)}};
  Failure failure = call(SYS_get_mempolicy, &policy.mode, policy.nodes.words.data(), policy.nodes.maxnode(),
                         addr.value_or(nullptr), static_cast<unsigned long>(flags.value_or(0)))
                        .failure;
  return {.value = std::move(policy), .failure = std::move(failure)};
}

// What the kernel gives up before it has come to a page says nothing of that page, and it says how many that are, not
// which: EAGAIN, which it never says itself.
Result<std::vector<int>> move(int pid, const Pages& pages, const PageNodes* nodes, int flags) {
  if (nodes != nullptr && nodes->size() != pages.size()) {
    return {.failure = fail("ERR_OUT_OF_RANGE", "The value of \"nodes\" is out of range. It must have a node for each of " +
                                                    std::to_string(pages.size()) + " pages. Received " +
                                                    std::to_string(nodes->size()))};
  }
  std::vector<int> status(pages.size(), -EAGAIN);
  Failure failure = call(SYS_move_pages, pid, pages.size(), pages.data(), nodes == nullptr ? nullptr : nodes->data(),
                         status.data(), flags)
                        .failure;
  return {.value = std::move(status), .failure = std::move(failure)};
}

// One maxnode stands for both masks.
Result<long> migrate(int pid, NodeMask from, NodeMask to) {
  const size_t words = std::max(from.words.size(), to.words.size());
  from.words.resize(words);
  to.words.resize(words);
  return call(SYS_migrate_pages, pid, from.maxnode(), from.words.data(), to.words.data());
}

// A policy is a thread's: the calls that set and get it have no promise form, the pool's threads are everybody's. What
// works on an address space has one. With MPOL_MF_MOVE "here" and "as the thread has it" (MPOL_LOCAL, MPOL_DEFAULT) mean
// the pool's thread then.
constexpr bind::Entry table[] = {
    SHAPE(mbind, Told, "addr length mode nodes flags",
          [](void* addr, size_t length, int mode, const NodeMask* nodes, unsigned flags) {
            return done(SYS_mbind, addr, length, static_cast<long>(mode), bits(nodes), maxnode(nodes), flags);
          })
        .since("Linux 2.6.7 with CONFIG_NUMA")
        .blocking(),
    SHAPE(set_mempolicy, Told, "mode nodes",
          [](int mode, const NodeMask* nodes) { return done(SYS_set_mempolicy, mode, bits(nodes), maxnode(nodes)); })
        .since("Linux 2.6.7 with CONFIG_NUMA"),
    SHAPE(get_mempolicy, Told, "addr flags",
          [](std::optional<void*> addr, std::optional<unsigned> flags) { return policy_of(addr, flags); })
        .since("Linux 2.6.7 with CONFIG_NUMA"),
    SHAPE(move_pages, Told, "pid pages nodes flags",
          [](int pid, const Pages& pages, const PageNodes* nodes, int flags) { return move(pid, pages, nodes, flags); })
        .since("Linux 2.6.18 with CONFIG_NUMA")
        .blocking(),
    SHAPE(migrate_pages, Told, "pid from to",
          [](int pid, const NodeMask& from, const NodeMask& to) { return migrate(pid, from, to); })
        .since("Linux 2.6.16 with CONFIG_NUMA")
        .blocking(),
    SHAPE(set_mempolicy_home_node, Told, "addr length homeNode flags",
          [](void* addr, size_t length, size_t home_node, unsigned flags) {
            return done(SYS_set_mempolicy_home_node, addr, length, home_node, static_cast<unsigned long>(flags));
          })
        .since("Linux 5.17 with CONFIG_NUMA")
        .blocking(),
};

constexpr bind::Constant constants[] = {
    CONST(MPOL_DEFAULT),        CONST(MPOL_PREFERRED),        CONST(MPOL_BIND),
    CONST(MPOL_INTERLEAVE),     CONST(MPOL_LOCAL),            CONST(MPOL_PREFERRED_MANY),
    CONST(MPOL_WEIGHTED_INTERLEAVE), CONST(MPOL_F_STATIC_NODES), CONST(MPOL_F_RELATIVE_NODES),
    CONST(MPOL_F_NUMA_BALANCING),    CONST(MPOL_F_NODE),      CONST(MPOL_F_ADDR),
    CONST(MPOL_F_MEMS_ALLOWED), CONST(MPOL_MF_STRICT),        CONST(MPOL_MF_MOVE),
    CONST(MPOL_MF_MOVE_ALL),    CONST(MPOL_MF_LAZY),
};

}  // namespace

const bind::Topic topic::mempolicy{"mempolicy", "numaif.h", table, constants};

}  // namespace memprobe
