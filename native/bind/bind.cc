#include "bind.h"

#include <gnu/libc-version.h>
#include <sys/utsname.h>

#include <cstdlib>

namespace memprobe {

std::string js::Param::name() const {
  const bind::Entry* row = bind::row_of(env, info);
  return (row == nullptr ? std::to_string(index) : word(row->params, index)) + suffix;
}

size_t js::longest_buffer(napi_env env) {
  const napi_node_version* node = nullptr;
  if (napi_get_node_version(env, &node) != napi_ok) return 0;
  const bool large = node->major > 22 || (node->major == 22 && node->minor >= 3);
  return large ? static_cast<size_t>(kMaxSafeInteger) : size_t{1} << 32;
}

bool js::allows_buffer(napi_env env, size_t bytes) {
  constexpr size_t small = size_t{64} << 10;  // where that is not to be had, V8 has ended before
  if (bytes <= small) return true;
  const std::string call = "ArrayBuffer " + std::to_string(bytes);
  if (bytes > longest_buffer(env)) {
    failure::raise(env, fail("ERR_OUT_OF_RANGE", "this is more than an ArrayBuffer can have here"), "ArrayBuffer", call);
    return false;
  }
  void* enough = std::malloc(bytes);
  std::free(enough);
  if (enough == nullptr) failure::raise(env, fail(ENOMEM), "ArrayBuffer", call);
  return enough != nullptr;
}

namespace bind {

const Entry* row_of(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  return napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data) == napi_ok ? static_cast<Entry*>(data) : nullptr;
}

Failure explain(const Entry& row, Failure failure) {
  if (failure.number != ENOSYS || row.needs == nullptr) return failure;
  utsname kernel = {};
  const std::string running = uname(&kernel) == 0 ? kernel.release : "unknown";
  return fail("ERR_MEMPROBE_UNSUPPORTED", std::string(row.name) + " needs " + row.needs + "; here are Linux " + running +
                                              " and glibc " + gnu_get_libc_version() +
                                              ", or a seccomp filter hides the call");
}

napi_value create_for(napi_env env, const Entry& row, const Failure& failure, const std::string& arguments) {
  const std::string call = arguments.empty() ? row.name : std::string(row.name) + " " + arguments;
  return failure::create(env, explain(row, failure), row.name, call);
}

void raise_for(napi_env env, napi_callback_info info, const Failure& failure, const std::string& arguments) {
  bool pending = false;
  const Entry* row = row_of(env, info);
  if (row == nullptr || napi_is_exception_pending(env, &pending) != napi_ok || pending) return;
  napi_value error = create_for(env, *row, failure, arguments);
  if (error != nullptr) napi_throw(env, error);
}

}  // namespace bind

}  // namespace memprobe
