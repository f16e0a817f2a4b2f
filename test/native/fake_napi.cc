// As much of Node-API as the guard needs to keep its books on views: a napi_value is a Buffer, and so is a reference.
#include "fake_napi.h"

namespace {
fake::Buffer& buffer(void* handle) { return *static_cast<fake::Buffer*>(handle); }
}  // namespace

extern "C" {

napi_status napi_create_reference(napi_env, napi_value value, uint32_t count, napi_ref* result) {
  *result = reinterpret_cast<napi_ref>(value);
  buffer(value).references += static_cast<int>(count);
  return napi_ok;
}

napi_status napi_delete_reference(napi_env, napi_ref reference) {
  buffer(reference).references = 0;
  return napi_ok;
}

napi_status napi_reference_unref(napi_env, napi_ref reference, uint32_t*) {
  buffer(reference).references--;
  return napi_ok;
}

napi_status napi_get_reference_value(napi_env, napi_ref reference, napi_value* result) {
  const bool lives = buffer(reference).references > 0 || buffer(reference).used;
  *result = lives ? reinterpret_cast<napi_value>(reference) : nullptr;
  return napi_ok;
}

napi_status napi_add_finalizer(napi_env, napi_value value, void* data, napi_finalize gone, void*, napi_ref*) {
  buffer(value).data = data;
  buffer(value).gone = gone;
  return napi_ok;
}

napi_status napi_is_detached_arraybuffer(napi_env, napi_value value, bool* result) {
  if (value == nullptr) return napi_invalid_arg;
  *result = buffer(value).detached;
  return napi_ok;
}

napi_status napi_detach_arraybuffer(napi_env, napi_value value) {
  if (value == nullptr) return napi_invalid_arg;
  buffer(value).detached = true;
  return napi_ok;
}

// Unknown, so that a request must be taken to be in flight.
napi_status napi_get_uv_event_loop(node_api_basic_env, uv_loop_s**) { return napi_generic_failure; }

// Never asked: there is no loop to walk.
struct uv_handle_s;
void uv_walk(uv_loop_s*, void (*)(uv_handle_s*, void*), void*) {}
int uv_handle_get_type(const uv_handle_s*) { return 0; }

}  // extern "C"
