#include "maps.h"

#include <sys/ioctl.h>

#include <array>
#include <climits>

#include "../topics.h"
#include "file.h"

namespace memprobe::procfs {
namespace {

// linux/fs.h has these since 6.11; defined here for older headers, under names of our own for newer ones.
struct ProcmapQuery {
  uint64_t size;
  uint64_t query_flags;
  uint64_t query_addr;
  uint64_t vma_start;
  uint64_t vma_end;
  uint64_t vma_flags;
  uint64_t vma_page_size;
  uint64_t vma_offset;
  uint64_t inode;
  uint32_t dev_major;
  uint32_t dev_minor;
  uint32_t vma_name_size;
  uint32_t build_id_size;
  uint64_t vma_name_addr;
  uint64_t build_id_addr;
};
static_assert(sizeof(ProcmapQuery) == 104);

constexpr unsigned long kProcmapQuery = _IOWR('f', 17, ProcmapQuery);

enum VmaFlag : uint64_t { kReadable = 1, kWritable = 2, kExecutable = 4, kSharedVma = 8 };

uint8_t perms_of(uint64_t flags) {
  return static_cast<uint8_t>((flags & kReadable ? 4 : 0) | (flags & kWritable ? 2 : 0) |
                              (flags & kExecutable ? 1 : 0) | (flags & kSharedVma ? 8 : 0));
}

}  // namespace

int query_mapping(const char* name, uint64_t address, std::optional<Mapping>& out) {
  const File file(name);
  if (!file.is_open()) return errno;
  std::array<char, PATH_MAX> path{};
  ProcmapQuery query{};
  query.size = sizeof(query);
  query.query_addr = address;
  query.vma_name_addr = reinterpret_cast<uintptr_t>(path.data());
  query.vma_name_size = path.size();
  if (::ioctl(file.fd(), kProcmapQuery, &query) != 0) return errno == ENOENT ? 0 : errno;
  out = {.start = query.vma_start,
         .end = query.vma_end,
         .offset = query.vma_offset,
         .inode = query.inode,
         .dev = query.dev_major << 20 | query.dev_minor,
         .perms = perms_of(query.vma_flags),
         .path = query.vma_name_size == 0 ? "" : path.data()};
  return 0;
}

}  // namespace memprobe::procfs

namespace memprobe {

using FoundMapping = std::optional<procfs::Mapping>;

template <>
struct js::Out<FoundMapping> {
  static std::string ts() {
    return "{ start: bigint; end: bigint; offset: bigint; inode: bigint; dev: number; permBits: number; "
           "path: string } | null";
  }
  static napi_value write(napi_env env, const FoundMapping& from, Arguments) {
    Napi::Env node(env);
    if (!from) return node.Null();
    Napi::Object object = Napi::Object::New(node);
    object.Set("start", Napi::BigInt::New(node, from->start));
    object.Set("end", Napi::BigInt::New(node, from->end));
    object.Set("offset", Napi::BigInt::New(node, from->offset));
    object.Set("inode", Napi::BigInt::New(node, from->inode));
    object.Set("dev", from->dev);
    object.Set("permBits", static_cast<uint32_t>(from->perms));
    object.Set("path", from->path);
    return object;
  }
};

namespace {

Result<FoundMapping> query(const char* file, const void* address) {
  Result<FoundMapping> result;
  const int error = procfs::query_mapping(file, reinterpret_cast<uintptr_t>(address), result.value);
  if (error != 0) result.failure = fail(error);
  return result;
}

constexpr bind::Entry table[] = {
    SHAPE(procmap_query, Told, "file address", [](const char* file, const void* address) {
      return query(file, address);
    }).blocking(),
};

}  // namespace

const bind::Topic topic::maps{"maps", nullptr, table};

}  // namespace memprobe
