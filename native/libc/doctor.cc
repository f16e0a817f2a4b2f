// Which system calls answer here, asked by making them. Each is made in a child of its own: nothing that it does
// outlives it, and a seccomp filter that kills (SIGSYS) kills the child.
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "../procfs/maps.h"
#include "../topics.h"

#ifndef SYS_cachestat
#define SYS_cachestat 451  // Linux 6.5
#endif
#ifndef SYS_mseal
#define SYS_mseal 462  // Linux 6.10
#endif
#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450  // Linux 5.17
#endif

namespace memprobe {

struct Answer {
  const char* call;
  const char* since;  // the first kernel that has it; every supported kernel has what has none
  std::string error;  // an errno's name, or a signal's that killed the child; empty: it works
};

template <>
struct js::Out<std::vector<Answer>> {
  static std::string ts() { return "{ call: string; since: string; error: string }[]"; }
  static napi_value write(napi_env env, const std::vector<Answer>& from, Arguments arguments) {
    napi_value list = nullptr;
    if (napi_create_array_with_length(env, from.size(), &list) != napi_ok) return nullptr;
    for (size_t i = 0; i < from.size(); i++) {
      napi_value each = object(env, from[i], arguments);
      if (each == nullptr || napi_set_element(env, list, static_cast<uint32_t>(i), each) != napi_ok) return nullptr;
    }
    return list;
  }

 private:
  static napi_value object(napi_env env, const Answer& answer, Arguments arguments) {
    napi_value made = nullptr;
    if (napi_create_object(env, &made) != napi_ok) return nullptr;
    const auto set = [&](const char* name, const std::string& text) {
      napi_value value = Out<std::string>::write(env, text, arguments);
      return value != nullptr && napi_set_named_property(env, made, name, value) == napi_ok;
    };
    const bool ok = set("call", answer.call) && set("since", answer.since) && set("error", answer.error);
    return ok ? made : nullptr;
  }
};

namespace {

// numaif.h may be older than the kernel, and not there at all.
constexpr int kDefault = 0;
constexpr int kPreferredMany = 5;       // Linux 5.15
constexpr int kWeightedInterleave = 6;  // Linux 6.9
constexpr unsigned long kMemsAllowed = 1 << 2;
using NodeMask = std::array<unsigned long, 1024 / 64>;

// Runs in the child of a process with many threads: system calls only, no malloc, no locks.
using Try = long (*)(void* page);

template <int Advice>
long advise(void* page) {
  return madvise(page, 0, Advice);
}

template <int Mode>
long bind_page(void* page) {
  NodeMask nodes{};
  const bool listed = Mode != kDefault;
  if (listed && syscall(SYS_get_mempolicy, nullptr, nodes.data(), 1024UL, nullptr, kMemsAllowed) != 0) return -1;
  return syscall(SYS_mbind, page, guard::page_size(), Mode, listed ? nodes.data() : nullptr, listed ? 1024UL : 0UL, 0);
}

long query_map(void* page) {
  std::optional<procfs::Mapping> found;
  errno = procfs::query_mapping("/proc/self/maps", reinterpret_cast<uintptr_t>(page), found);
  return errno == 0 ? 0 : -1;
}

long copy_memory(void* page) {
  char copy = 0;
  const iovec local{&copy, 1};
  const iovec remote{page, 1};
  return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == 1 ? 0 : -1;
}

long cache_of_file(void*) {
  uint64_t range[2] = {0, 0};
  uint64_t counts[5] = {};
  const int fd = memfd_create("memprobe", 0);
  return fd < 0 ? -1 : syscall(SYS_cachestat, fd, range, counts, 0);
}

long advise_process(void* page) {
  const iovec range{page, guard::page_size()};
  const long pidfd = syscall(SYS_pidfd_open, getpid(), 0);
  return pidfd < 0 ? -1 : syscall(SYS_process_madvise, pidfd, &range, 1, MADV_COLD, 0);
}

struct Probe {
  const char* call;
  const char* since;
  Try attempt;
};

constexpr Probe probes[] = {
    {"process_vm_readv", "", copy_memory},
    {"memfd_create", "", [](void*) -> long { return memfd_create("memprobe", 0); }},
    {"mincore", "", [](void* page) -> long { unsigned char vec = 0; return mincore(page, 1, &vec); }},
    {"mremap", "", [](void* page) -> long { return mremap(page, 1, 1, 0) == MAP_FAILED ? -1 : 0; }},
    {"mbind", "", bind_page<kDefault>},
    {"set_mempolicy", "", [](void*) { return syscall(SYS_set_mempolicy, kDefault, nullptr, 0); }},
    {"get_mempolicy", "", [](void*) { return syscall(SYS_get_mempolicy, nullptr, nullptr, 0, nullptr, 0); }},
    {"move_pages", "", [](void*) { return syscall(SYS_move_pages, 0, 0, nullptr, nullptr, nullptr, 0); }},
    {"process_madvise", "Linux 5.10", advise_process},
    {"MADV_POPULATE_WRITE", "Linux 5.14", advise<MADV_POPULATE_WRITE>},
    {"MPOL_PREFERRED_MANY", "Linux 5.15", bind_page<kPreferredMany>},
    {"set_mempolicy_home_node", "Linux 5.17", [](void*) { return syscall(SYS_set_mempolicy_home_node, 0, 0, 0, 0); }},
    {"MADV_DONTNEED_LOCKED", "Linux 5.18", advise<MADV_DONTNEED_LOCKED>},
    {"MADV_COLLAPSE", "Linux 6.1", advise<MADV_COLLAPSE>},
    {"cachestat", "Linux 6.5", cache_of_file},
    {"MPOL_WEIGHTED_INTERLEAVE", "Linux 6.9", bind_page<kWeightedInterleave>},
    {"mseal", "Linux 6.10", [](void* page) { return syscall(SYS_mseal, page, guard::page_size(), 0); }},
    {"PROCMAP_QUERY", "Linux 6.11", query_map},
    {"MADV_GUARD_INSTALL", "Linux 6.13",
     [](void* page) -> long { return madvise(page, guard::page_size(), MADV_GUARD_INSTALL); }},
};

[[noreturn]] void answer_in_child(const Probe& probe, void* page) {
  // A handler of the program's own must not run here: its crash reports would be of no crash.
  signal(SIGSYS, SIG_DFL);
  errno = 0;
  _exit(probe.attempt(page) >= 0 ? 0 : errno);
}

std::string wait_for(pid_t child) {
  int status = 0;
  pid_t ended = 0;
  do ended = waitpid(child, &status, 0);
  while (ended == -1 && errno == EINTR);
  if (ended == -1) return strerrorname_np(errno);
  if (WIFSIGNALED(status)) return std::string("SIG") + sigabbrev_np(WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? "" : strerrorname_np(WEXITSTATUS(status));
}

std::string outcome(const Probe& probe, void* page) {
  const pid_t child = fork();
  if (child == 0) answer_in_child(probe, page);
  return child == -1 ? strerrorname_np(errno) : wait_for(child);
}

std::vector<Answer> ask_all() {
  void* page = mmap(nullptr, guard::page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  std::vector<Answer> answers;
  for (const Probe& probe : probes) answers.push_back({probe.call, probe.since, outcome(probe, page)});
  if (page != MAP_FAILED) munmap(page, guard::page_size());
  return answers;
}

constexpr bind::Entry table[] = {
    SHAPE(probe_calls, Never, "", [] { return ask_all(); }).blocking(),
};

}  // namespace

const bind::Topic topic::doctor{"doctor", nullptr, table};

}  // namespace memprobe
