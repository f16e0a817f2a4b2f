// A call on the thread pool and the promise for it.
// Plain Node-API, with every status looked at: a worker may be terminated at any moment, from then on nothing can be
// resolved any more, and node-addon-api ends the process over that.
#pragma once

#include <napi.h>  // which the topics that make objects use

#include <memory>
#include <vector>

#include "js.h"

namespace memprobe::bind {

class Job {
 public:
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  virtual ~Job() {
    if (work_ != nullptr) napi_delete_async_work(env_, work_);
    if (arguments_ != nullptr) napi_delete_reference(env_, arguments_);
  }

  // Queues a job that is ready; one that is not has left an exception, which becomes the promise's rejection.
  static napi_value start(std::unique_ptr<Job> job, bool ready) {
    napi_value promise = job->promise_;
    if (promise == nullptr) return nullptr;
    if (!ready) job->reject_with_pending();
    else if (job->queue()) job.release();  // complete() has it now
    return promise;
  }

 protected:
  Job(napi_env env, js::Arguments argv, size_t count) : env_(env), count_(count) {
    napi_value kept = nullptr;
    if (napi_create_promise(env, &deferred_, &promise_) != napi_ok) return;
    if (napi_create_array_with_length(env, count, &kept) != napi_ok) return;
    for (uint32_t i = 0; i < count; i++) napi_set_element(env, kept, i, argv[i]);
    napi_create_reference(env, kept, 1, &arguments_);
  }

  napi_env env() const { return env_; }

  // On the pool's thread.
  virtual void execute() = 0;
  // Resolves or rejects, on the JavaScript thread.
  virtual void settle(js::Arguments argv) = 0;

  // nullptr: writing the value has left an exception.
  void resolve(napi_value value) {
    bool pending = false;
    napi_is_exception_pending(env_, &pending);
    if (pending) return reject_with_pending();
    napi_resolve_deferred(env_, deferred_, value != nullptr ? value : js::undefined(env_));
  }
  void reject(napi_value error) { napi_reject_deferred(env_, deferred_, error); }

 private:
  void reject_with_pending() {
    napi_value error = nullptr;
    if (napi_get_and_clear_last_exception(env_, &error) == napi_ok) reject(error);
  }

  bool queue() {
    napi_value name = nullptr;
    return napi_create_string_utf8(env_, "memprobe", NAPI_AUTO_LENGTH, &name) == napi_ok &&
           napi_create_async_work(env_, nullptr, name, run, complete, this, &work_) == napi_ok &&
           napi_queue_async_work(env_, work_) == napi_ok;
  }

  static void run(napi_env, void* job) { static_cast<Job*>(job)->execute(); }

  static void complete(napi_env env, napi_status status, void* data) {
    const std::unique_ptr<Job> job(static_cast<Job*>(data));
    std::vector<napi_value> argv(job->count_ + 1);
    if (status == napi_ok && job->recall(env, argv)) job->settle(argv.data());
  }

  // False: the environment is ending, and nobody waits any more.
  bool recall(napi_env env, std::vector<napi_value>& argv) const {
    napi_value kept = nullptr;
    if (napi_get_reference_value(env, arguments_, &kept) != napi_ok || kept == nullptr) return false;
    for (uint32_t i = 0; i < count_; i++) {
      if (napi_get_element(env, kept, i, &argv[i]) != napi_ok) return false;
    }
    return true;
  }

  napi_env env_;
  size_t count_;
  napi_deferred deferred_ = nullptr;
  napi_value promise_ = nullptr;  // valid until the call that made the job returns
  napi_ref arguments_ = nullptr;  // the caller's buffers live until the result is written into them
  napi_async_work work_ = nullptr;
};

}  // namespace memprobe::bind
