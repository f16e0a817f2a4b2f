#include "bind.h"

#include <gnu/libc-version.h>
#include <sys/utsname.h>

namespace memprobe {

std::string js::Param::name() const {
  const bind::Entry* row = bind::row_of(env, info);
  return (row == nullptr ? std::to_string(index) : word(row->params, index)) + suffix;
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
