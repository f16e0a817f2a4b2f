// An ArrayBuffer over memory of ours.
#pragma once

#include <node_api.h>

#include <cstddef>

namespace memprobe {

// nullptr: an exception is pending. `keep`: the buffer lives until its memory ends (guard::Hold::kept).
napi_value view_of(napi_env env, void* addr, size_t length, bool keep);

}  // namespace memprobe
