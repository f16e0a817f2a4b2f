// The class Bitmask.
#include <numa.h>

#include <new>

#include "../bind/bind.h"
#include "mask.h"

namespace memprobe::numa {
namespace {

constexpr napi_type_tag kTag = {0x6d656d70726f6265, 0x6269746d61736b31};

// Per environment: the class, and the mask that the object to be constructed takes over.
struct Class {
  napi_ref constructor = nullptr;
  bitmask* adopted = nullptr;
  bool constant = false;
};

Class& class_of(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return *static_cast<Class*>(data);
}

int64_t bytes_of(const bitmask* mask) {
  return static_cast<int64_t>(sizeof(bitmask) + numa_bitmask_nbytes(const_cast<bitmask*>(mask)));
}

void finalize(napi_env env, void* data, void*) {
  const std::unique_ptr<Wrapped> wrapped(static_cast<Wrapped*>(data));
  int64_t total = 0;
  napi_adjust_external_memory(env, -wrapped->bytes, &total);
  numa_bitmask_free(wrapped->mask);
}

template <auto Method>
napi_value method(napi_env env, napi_callback_info info) noexcept {
  try {
    return Method(env, info);
  } catch (const std::bad_alloc&) {
    bind::raise_for(env, info, fail(ENOMEM), "");
    return nullptr;
  }
}

// new Bitmask(size), or the object for an adopted mask.
bitmask* mask_for(napi_env env, napi_callback_info info, napi_value size) {
  Class& made = class_of(env);
  if (made.adopted != nullptr) return std::exchange(made.adopted, nullptr);
  double bits = 0;
  if (!js::read_integer(env, size, {env, info, 0}, 1, 2147483647, "a number of bits from 1 to 2147483647", bits)) {
    return nullptr;
  }
  bitmask* mask = allocate(static_cast<size_t>(bits));
  if (mask == nullptr) bind::raise_for(env, info, fail(ENOMEM), std::to_string(static_cast<long>(bits)));
  return mask;
}

napi_value construct(napi_env env, napi_callback_info info) {
  napi_value self = nullptr;
  napi_value size = nullptr;
  napi_value target = nullptr;
  size_t argc = 1;
  int64_t total = 0;
  if (napi_get_cb_info(env, info, &argc, &size, &self, nullptr) != napi_ok) return nullptr;
  if (napi_get_new_target(env, info, &target) != napi_ok) return nullptr;
  if (target == nullptr) {
    napi_throw_type_error(env, "ERR_CONSTRUCT_CALL_REQUIRED", "Class constructor Bitmask cannot be invoked without 'new'");
    return nullptr;
  }
  const bool constant = class_of(env).constant;
  bitmask* mask = mask_for(env, info, size);
  if (mask == nullptr) return nullptr;
  auto wrapped = std::make_unique<Wrapped>(Wrapped{mask, constant, bytes_of(mask)});
  if (napi_type_tag_object(env, self, &kTag) != napi_ok ||
      napi_wrap(env, self, wrapped.get(), finalize, nullptr, nullptr) != napi_ok) {
    numa_bitmask_free(mask);
    return nullptr;
  }
  napi_adjust_external_memory(env, wrapped.release()->bytes, &total);
  return self;
}

// Arguments of a method, with the Bitmask that it is called on; nullptr with an exception pending.
bitmask* self_of(napi_env env, napi_callback_info info, napi_value* argument = nullptr) {
  napi_value self = nullptr;
  size_t argc = argument == nullptr ? 0 : 1;
  js::In<Bits>::Stored bits;
  if (napi_get_cb_info(env, info, &argc, argument, &self, nullptr) != napi_ok) return nullptr;
  // Not an argument: `index` lies behind the parameter that equals has.
  return js::In<Bits>::read(env, self, {env, info, 1}, bits) ? bits.mask : nullptr;
}

std::string numbers_of(const bitmask* mask, size_t most) {
  return numa_bitmask_weight(mask) == 0 ? "" : js::In<const js::NodeMask&>::text(words_of(mask), most);
}

napi_value get_size(napi_env env, napi_callback_info info) {
  const bitmask* mask = self_of(env, info);
  return mask == nullptr ? nullptr : js::number(env, static_cast<double>(mask->size));
}

// Over a list of so many, V8 could end the process.
constexpr unsigned kMostNumbers = 1U << 24;

// The numbers as they are now: what changes during the iteration does not show.
napi_value iterate(napi_env env, napi_callback_info info) {
  const bitmask* mask = self_of(env, info);
  if (mask == nullptr) return nullptr;
  if (numa_bitmask_weight(mask) > kMostNumbers) {
    napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "a Bitmask with more than 16777216 bits set can't be iterated over");
    return nullptr;
  }
  napi_value list = js::Out<js::NodeMask>::write(env, words_of(mask), nullptr);
  napi_value values = nullptr;
  napi_value iterator = nullptr;
  if (list == nullptr || !js::get_function(env, list, "values", values)) return nullptr;
  return napi_call_function(env, list, values, 0, nullptr, &iterator) == napi_ok ? iterator : nullptr;
}

napi_value equals(napi_env env, napi_callback_info info) {
  napi_value other = nullptr;
  js::NodeMask numbers;
  const bitmask* mask = self_of(env, info, &other);
  if (mask == nullptr) return nullptr;
  if (const Wrapped* wrapped = unwrap(env, other); wrapped != nullptr && wrapped->mask != nullptr) {
    return js::Out<bool>::write(env, numa_bitmask_equal(mask, wrapped->mask) != 0, nullptr);
  }
  if (!js::In<const js::NodeMask&>::read(env, other, {env, info, 0}, numbers)) return nullptr;
  mask = self_of(env, info);  // again: reading the other has run JavaScript, which may have freed this one
  if (mask == nullptr) return nullptr;
  const bitmask theirs{numbers.words.size() * js::NodeMask::kWordBits, numbers.words.data()};
  return js::Out<bool>::write(env, numa_bitmask_equal(mask, &theirs) != 0, nullptr);
}

// V8's longest string has 2^29 - 24 characters.
constexpr size_t kLongestText = (size_t{1} << 29) - 64;

napi_value to_string(napi_env env, napi_callback_info info) {
  const bitmask* mask = self_of(env, info);
  if (mask == nullptr) return nullptr;
  const std::string text = numbers_of(mask, kLongestText);
  if (text.size() <= kLongestText) return js::Out<std::string>::write(env, text, nullptr);
  napi_throw_error(env, "ERR_STRING_TOO_LONG", "Cannot create a string longer than 0x1fffffe8 characters");
  return nullptr;
}

// util.inspect, which console.log uses: one that was freed is shown too.
napi_value inspect(napi_env env, napi_callback_info info) {
  napi_value self = nullptr;
  size_t argc = 0;
  if (napi_get_cb_info(env, info, &argc, nullptr, &self, nullptr) != napi_ok) return nullptr;
  const Wrapped* wrapped = unwrap(env, self);
  std::string text = "Bitmask { freed }";
  if (wrapped != nullptr && wrapped->mask != nullptr) {
    const std::string numbers = numbers_of(wrapped->mask, 200);
    text = "Bitmask(" + std::to_string(wrapped->mask->size) + ") {" + (numbers.empty() ? "" : " " + numbers + " ") + "}";
  }
  return js::Out<std::string>::write(env, text, nullptr);
}

napi_value symbol(napi_env env, const char* name) {
  napi_value global = nullptr;
  napi_value symbols = nullptr;
  napi_value found = nullptr;
  if (napi_get_global(env, &global) != napi_ok || !js::get_function(env, global, "Symbol", symbols)) return nullptr;
  return napi_get_named_property(env, symbols, name, &found) == napi_ok ? found : nullptr;
}

constexpr bind::Entry kConstructor = {.name = "Bitmask", .params = "size"};
constexpr bind::Entry kMethod = {.name = "Bitmask", .params = "other this"};

void* data_of(const bind::Entry& row) { return const_cast<bind::Entry*>(&row); }

}  // namespace

napi_value define_class(napi_env env) {
  void* data = data_of(kMethod);
  napi_value inspected = nullptr;
  if (node_api_symbol_for(env, "nodejs.util.inspect.custom", NAPI_AUTO_LENGTH, &inspected) != napi_ok) return nullptr;
  const napi_property_descriptor properties[] = {
      {"size", nullptr, nullptr, method<get_size>, nullptr, nullptr, napi_default, data},
      {"equals", nullptr, method<equals>, nullptr, nullptr, nullptr, napi_default_method, data},
      {"toString", nullptr, method<to_string>, nullptr, nullptr, nullptr, napi_default_method, data},
      {nullptr, symbol(env, "iterator"), method<iterate>, nullptr, nullptr, nullptr, napi_default_method, data},
      {nullptr, inspected, method<inspect>, nullptr, nullptr, nullptr, napi_default_method, data},
  };
  napi_value constructor = nullptr;
  auto made = std::make_unique<Class>();
  if (napi_define_class(env, "Bitmask", NAPI_AUTO_LENGTH, method<construct>, data_of(kConstructor), std::size(properties),
                        properties, &constructor) != napi_ok ||
      napi_create_reference(env, constructor, 1, &made->constructor) != napi_ok ||
      napi_set_instance_data(
          env, made.get(), [](napi_env, void* old, void*) { delete static_cast<Class*>(old); }, nullptr) != napi_ok) {
    return nullptr;
  }
  made.release();  // the environment has it
  return constructor;
}

Wrapped* unwrap(napi_env env, napi_value value) {
  void* wrapped = nullptr;
  bool ours = false;
  if (!js::is_type(env, value, napi_object)) return nullptr;
  if (napi_check_object_type_tag(env, value, &kTag, &ours) != napi_ok || !ours) return nullptr;
  return napi_unwrap(env, value, &wrapped) == napi_ok ? static_cast<Wrapped*>(wrapped) : nullptr;
}

napi_value wrap(napi_env env, bitmask* mask, bool constant) {
  Class& made = class_of(env);
  napi_value constructor = nullptr;
  napi_value object = nullptr;
  made.adopted = mask;
  made.constant = constant;
  if (napi_get_reference_value(env, made.constructor, &constructor) == napi_ok) {
    napi_new_instance(env, constructor, 0, nullptr, &object);
  }
  made.constant = false;
  if (bitmask* left = std::exchange(made.adopted, nullptr)) numa_bitmask_free(left);
  return object;
}

}  // namespace memprobe::numa
