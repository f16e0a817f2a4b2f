// smaps as JavaScript gets it: the columns become typed arrays that share the reader's memory.
#include <memory>
#include <unordered_map>

#include "../topics.h"
#include "smaps_reader.h"

namespace memprobe {

using SmapsTable = std::shared_ptr<const procfs::Smaps>;

namespace js {

// Below this a copy is cheaper than a finalizer.
constexpr size_t kWorthLending = 64 * 1024;

template <class T>
napi_value lend(napi_env env, napi_typedarray_type type, const SmapsTable& owner,
                const std::vector<T>& column) {
  if (column.size() * sizeof(T) < kWorthLending) return typed_array(env, type, column.data(), column.size());
  const auto drop = [](napi_env, void*, void* kept) {
    std::unique_ptr<SmapsTable>(static_cast<SmapsTable*>(kept));
  };
  auto keep = std::make_unique<SmapsTable>(owner);
  napi_value buffer = nullptr;
  napi_value array = nullptr;
  void* data = const_cast<T*>(column.data());
  const napi_status lent =
      napi_create_external_arraybuffer(env, data, column.size() * sizeof(T), drop, keep.get(), &buffer);
  if (lent == napi_no_external_buffers_allowed) return typed_array(env, type, column.data(), column.size());
  if (lent != napi_ok) return nullptr;
  static_cast<void>(keep.release());
  return napi_create_typedarray(env, type, column.size(), buffer, 0, &array) == napi_ok ? array : nullptr;
}

template <class Each, class List>
napi_value array(napi_env env, const List& list, Each each) {
  napi_value out = nullptr;
  if (napi_create_array_with_length(env, list.size(), &out) != napi_ok) return nullptr;
  for (uint32_t i = 0; i < list.size(); i++) {
    const napi_value element = each(list[i]);
    if (element == nullptr || napi_set_element(env, out, i, element) != napi_ok) return nullptr;
  }
  return out;
}

inline napi_value string(napi_env env, const std::string& text) {
  return Out<std::string>::write(env, text, nullptr);
}

napi_value strings(napi_env env, const std::vector<std::string>& list) {
  return array(env, list, [env](const std::string& text) { return string(env, text); });
}

// Field names come out of a file, so they are values in pairs here, never property names.
napi_value pair(napi_env env, const std::string& name, napi_value second) {
  napi_value out = nullptr;
  if (second == nullptr || napi_create_array_with_length(env, 2, &out) != napi_ok) return nullptr;
  if (napi_set_element(env, out, 0, string(env, name)) != napi_ok) return nullptr;
  return napi_set_element(env, out, 1, second) == napi_ok ? out : nullptr;
}

struct Property {
  const char* name;
  napi_value value;
};

napi_value object(napi_env env, std::initializer_list<Property> properties) {
  napi_value out = nullptr;
  if (napi_create_object(env, &out) != napi_ok) return nullptr;
  for (const auto& [name, value] : properties) {
    if (value == nullptr || napi_set_named_property(env, out, name, value) != napi_ok) return nullptr;
  }
  return out;
}

template <>
struct Out<SmapsTable> {
  static std::string ts() {
    return "{ start: BigUint64Array; end: BigUint64Array; offset: BigUint64Array; inode: BigUint64Array; "
           "dev: Uint32Array; permBits: Uint8Array; pathIndex: Uint32Array; paths: string[]; "
           "numbers: [name: string, values: Float64Array][]; "
           "texts: [name: string, { index: Uint32Array; strings: string[] }][]; "
           "badLine: number; badText: string; truncated: boolean }";
  }
  static napi_value write(napi_env env, const SmapsTable& from, Arguments) {
    const procfs::Smaps& smaps = *from;
    std::unordered_map<const void*, napi_value> lent;  // what is shared there is shared here
    const auto number_pair = [&](const procfs::NumberColumn& column) {
      napi_value& array = lent[column.values.get()];
      if (array == nullptr) array = lend(env, napi_float64_array, from, *column.values);
      return pair(env, column.name, array);
    };
    const auto text_pair = [&](const procfs::TextColumn& column) {
      return pair(env, column.name,
                  object(env, {{"index", lend(env, napi_uint32_array, from, column.index)},
                               {"strings", strings(env, column.strings)}}));
    };
    return object(env, {{"start", lend(env, napi_biguint64_array, from, smaps.start)},
                        {"end", lend(env, napi_biguint64_array, from, smaps.end)},
                        {"offset", lend(env, napi_biguint64_array, from, smaps.offset)},
                        {"inode", lend(env, napi_biguint64_array, from, smaps.inode)},
                        {"dev", lend(env, napi_uint32_array, from, smaps.dev)},
                        {"permBits", lend(env, napi_uint8_array, from, smaps.perms)},
                        {"pathIndex", lend(env, napi_uint32_array, from, smaps.path)},
                        {"paths", strings(env, smaps.paths)},
                        {"numbers", array(env, smaps.numbers, number_pair)},
                        {"texts", array(env, smaps.texts, text_pair)},
                        {"badLine", Out<size_t>::write(env, smaps.bad_line, nullptr)},
                        {"badText", string(env, smaps.bad_text)},
                        {"truncated", Out<bool>::write(env, smaps.truncated, nullptr)}});
  }
};

}  // namespace js

namespace {

Result<SmapsTable> read_table(const char* file) {
  auto table = std::make_shared<procfs::Smaps>();
  const int error = procfs::read_smaps(file, *table);
  if (error != 0) return {.value = {}, .failure = fail(error)};
  return {.value = std::move(table), .failure = {}};
}

constexpr bind::Entry table[] = {
    SHAPE(read_smaps, Told, "file", [](const char* file) { return read_table(file); }).blocking(),
};

}  // namespace

const bind::Topic topic::smaps{"smaps", nullptr, table};

}  // namespace memprobe
