// Memory access itself: peek, poke, view, alloca(3)
#include <alloca.h>
#include <pthread.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>

#include "../topics.h"
#include "view.h"

namespace memprobe {
namespace {

// Through the kernel: an address that is not there is EFAULT, never a signal. A transfer that stops short has met one.
template <auto Transfer>
int move(void* remote, void* local, size_t length) {
  const iovec here{local, length};
  const iovec there{remote, length};
  const ssize_t moved = Transfer(getpid(), &here, 1, &there, 1, 0);
  if (moved == -1) return errno;
  return static_cast<size_t>(moved) == length ? 0 : EFAULT;
}

// In pieces: an absurd length fails before it is allocated, and the kernel stops short of 2 GiB.
constexpr size_t kPiece = size_t{64} << 20;

// Node 20's longest Uint8Array; over a longer one V8 ends the process.
constexpr size_t kLongest = size_t{1} << 32;

Failure too_long(void* addr, size_t length) {
  uint8_t last = 0;
  if (const int error = move<process_vm_readv>(static_cast<std::byte*>(addr) + length - 1, &last, 1)) return fail(error);
  return fail("ERR_OUT_OF_RANGE", "The value of \"length\" is out of range. It must be at most 4 GiB. Received " +
                                      std::to_string(length));
}

Result<std::vector<uint8_t>> read_bytes(void* addr, size_t length) {
  Result<std::vector<uint8_t>> result;
  if (length > kLongest) return {.failure = too_long(addr, length)};
  auto& bytes = result.value;
  while (bytes.size() < length && !result.failure) {
    const size_t done = bytes.size();
    const size_t piece = std::min(length - done, kPiece);
    bytes.resize(done + piece);
    result.failure = fail(move<process_vm_readv>(static_cast<std::byte*>(addr) + done, bytes.data() + done, piece));
  }
  return result;
}

int write_bytes(void* addr, const js::Bytes& bytes) {
  int failed = 0;
  for (size_t done = 0; done < bytes.length && failed == 0; done += kPiece) {
    // process_vm_writev only reads its local side.
    auto* local = const_cast<uint8_t*>(bytes.data + done);
    failed = move<process_vm_writev>(static_cast<std::byte*>(addr) + done, local, std::min(bytes.length - done, kPiece));
  }
  return failed;
}

// --- view ---------------------------------------------------------------------------------------------------------

void raise_in_view(napi_env env, const Failure& why, void* addr, size_t length) {
  failure::raise(env, why, "view", "view " + js::hex(reinterpret_cast<uintptr_t>(addr)) + ", " + std::to_string(length));
}

// An ArrayBuffer over foreign memory, or nullptr with an exception pending.
napi_value external_buffer(napi_env env, void* addr, size_t length, napi_finalize finalize, void* hint) {
  napi_value buffer = nullptr;
  const bool fits = length <= js::longest_buffer(env);
  const napi_status status =
      fits ? napi_create_external_arraybuffer(env, addr, length, finalize, hint, &buffer) : napi_invalid_arg;
  if (status == napi_ok) return buffer;
  raise_in_view(env,
                status == napi_no_external_buffers_allowed
                    ? fail("ERR_MEMPROBE_UNSUPPORTED",
                           "this runtime forbids ArrayBuffers over memory of others (Electron does); use peek and poke")
                    : fail("ERR_OUT_OF_RANGE", "this length is more than an ArrayBuffer can have here; take "
                                                       "windows of it"),
                addr, length);
  return nullptr;
}

bool read_range(napi_env env, napi_callback_info info, void*& addr, size_t& length) {
  napi_value argv[2];
  size_t argc = 2;
  if (napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr) != napi_ok) return false;
  return js::In<void*>::read(env, argv[0], {env, info, 0}, addr) &&
         js::In<size_t>::read(env, argv[1], {env, info, 1}, length);
}

napi_value empty_buffer(napi_env env) {
  napi_value buffer = nullptr;
  return napi_create_arraybuffer(env, 0, nullptr, &buffer) == napi_ok ? buffer : nullptr;
}

}  // namespace

napi_value view_of(napi_env env, void* addr, size_t length, bool keep) {
  const auto start = reinterpret_cast<uintptr_t>(addr);
  if (napi_value known = guard::known_view(env, start, length)) return known;
  std::unique_ptr<guard::Hold> hold;
  const Failure refused = guard::begin_view(env, start, length, hold);
  if (refused) {
    raise_in_view(env, refused, addr, length);
    return nullptr;
  }
  if (length == 0) return guard::end_view(env, std::move(hold)), empty_buffer(env);
  napi_value buffer = external_buffer(
      env, addr, length, [](napi_env finalizing, void*, void* hint) {
        guard::end_view(finalizing, std::unique_ptr<guard::Hold>(static_cast<guard::Hold*>(hint)));
      },
      hold.get());
  if (buffer == nullptr) {
    guard::end_view(env, std::move(hold));
    return nullptr;
  }
  guard::name_view(env, *hold.release(), buffer, keep);  // the buffer's finalizer has it now
  return buffer;
}

namespace {

napi_value view(napi_env env, napi_callback_info info) noexcept {
  void* addr = nullptr;
  size_t length = 0;
  try {
    return read_range(env, info, addr, length) ? view_of(env, addr, length, true) : nullptr;
  } catch (const std::bad_alloc&) {
    raise_in_view(env, fail(ENOMEM), addr, length);
    return nullptr;
  }
}

napi_value view_anything(napi_env env, napi_callback_info info) noexcept {
  void* addr = nullptr;
  size_t length = 0;
  if (!read_range(env, info, addr, length)) return nullptr;
  if (length == 0) return empty_buffer(env);
  return external_buffer(env, addr, length, [](napi_env, void*, void*) {}, nullptr);
}

// --- alloca -------------------------------------------------------------------------------------------------------

constexpr size_t kStackReserve = size_t{256} << 10;  // for what `fn` itself calls
// V8 uses this much of a stack (--stack-size), and newer ones end the process when they are called from below it.
constexpr size_t kStackOfV8 = size_t{984} << 10;

size_t stack_left() {
  pthread_attr_t attributes;
  void* low = nullptr;
  size_t size = 0;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return 0;
  pthread_attr_getstack(&attributes, &low, &size);
  pthread_attr_destroy(&attributes);
  const auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  const uintptr_t floor = reinterpret_cast<uintptr_t>(low) + size - std::min(size, kStackOfV8) + kStackReserve;
  return here > floor ? here - floor : 0;
}

void raise_in_alloca(napi_env env, const Failure& why, size_t size) {
  failure::raise(env, why, "alloca", "alloca " + std::to_string(size));
}

napi_value call_with(napi_env env, napi_value fn, void* block, size_t size) {
  napi_value buffer = size == 0 ? empty_buffer(env) : external_buffer(env, block, size, [](napi_env, void*, void*) {}, nullptr);
  if (buffer == nullptr) return nullptr;
  napi_value arguments[2] = {nullptr, js::Out<void*>::write(env, block, nullptr)};
  if (napi_create_typedarray(env, napi_uint8_array, size, buffer, 0, &arguments[0]) != napi_ok) return nullptr;
  napi_value result = nullptr;
  napi_call_function(env, js::undefined(env), fn, 2, arguments, &result);
  napi_value thrown = nullptr;
  bool pending = false;
  bool moved = false;
  napi_is_exception_pending(env, &pending);
  if (pending) napi_get_and_clear_last_exception(env, &thrown);
  // A worker that was terminated inside `fn` runs no JavaScript any more, and detaching would end the process.
  if (napi_has_named_property(env, buffer, "byteLength", &moved) != napi_ok) return nullptr;
  napi_is_detached_arraybuffer(env, buffer, &moved);
  if (!moved) napi_detach_arraybuffer(env, buffer);
  if (thrown != nullptr) napi_throw(env, thrown);
  else if (moved && size != 0) {
    raise_in_alloca(env, fail("ERR_MEMPROBE_VIEW_MOVED",
                              "fn moved its view away (ArrayBuffer.prototype.transfer): what it was moved to now lies "
                              "over a stack frame that is gone, and must not be touched"), size);
  }
  return pending || moved ? nullptr : result;
}

napi_value alloca_(napi_env env, napi_callback_info info) noexcept {
  napi_value argv[2];
  size_t argc = 2;
  size_t size = 0;
  napi_valuetype type = napi_undefined;
  if (napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr) != napi_ok) return nullptr;
  if (!js::In<size_t>::read(env, argv[0], {env, info, 0}, size)) return nullptr;
  if (napi_typeof(env, argv[1], &type) != napi_ok || type != napi_function) {
    failure::raise_argument(env, failure::Kind::Type, "fn", "of type function", argv[1]);
    return nullptr;
  }
  const size_t left = stack_left();
  if (size > left) {
    raise_in_alloca(env, fail("ERR_OUT_OF_RANGE", "this would overflow the part of the thread's stack that V8 uses, which has room for " +
                                                      std::to_string(left) + " bytes more; use malloc"), size);
    return nullptr;
  }
  return call_with(env, argv[1], ::alloca(size), size);
}

// ------------------------------------------------------------------------------------------------------------------

constexpr const char* view_signature() { return "(addr: Address, length: number): ArrayBuffer"; }
constexpr const char* alloca_signature() {
  return "<T>(size: number, fn: (view: Uint8Array, addr: Address) => T): T";
}

constexpr bind::Entry table[] = {
    SHAPE(peek, Told, "addr length", [](void* addr, size_t length) { return read_bytes(addr, length); }).blocking(),
    SHAPE(poke, Returned, "addr bytes", [](void* addr, const js::Bytes& bytes) { return write_bytes(addr, bytes); })
        .guarded<guard::Writes>()
        .blocking(),
    bind::raw<view_signature>("view", "addr length", view, view_anything),
    bind::raw<alloca_signature>("alloca", "size fn", alloca_, alloca_),
};

}  // namespace

const bind::Topic topic::memory{"memory", "sys/uio.h, alloca.h", table};

}  // namespace memprobe
