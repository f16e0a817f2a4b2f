// As much of Node-API as the guard needs to keep its books on views: a napi_value is a Buffer, and so is a reference.
#include "fake_napi.h"

namespace {
fake::Buffer& buffer(void* handle) { return *static_cast<fake::Buffer*>(handle); }
}  // namespace

extern "C" {

napi_status napi_create_reference(napi_env, napi_value value, uint32_t, napi_ref* result) {
  *result = reinterpret_cast<napi_ref>(value);
  buffer(value).references++;
  return napi_ok;
}

napi_status napi_delete_reference(napi_env, napi_ref reference) {
  buffer(reference).references--;
  return napi_ok;
}

napi_status napi_get_reference_value(napi_env, napi_ref reference, napi_value* result) {
  *result = reinterpret_cast<napi_value>(reference);
  return napi_ok;
}

napi_status napi_is_detached_arraybuffer(napi_env, napi_value value, bool* result) {
  *result = buffer(value).detached;
  return napi_ok;
}

napi_status napi_detach_arraybuffer(napi_env, napi_value value) {
  if (value == nullptr) return napi_invalid_arg;
  buffer(value).detached = true;
  return napi_ok;
}

}  // extern "C"
