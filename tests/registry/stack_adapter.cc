/* SPDX-License-Identifier: Apache-2.0 */
/* A sample: the adapter of a C++ class. A stack of objects: only the newest, and all, are freed. */
#include <cstdint>

#include <slabmill/adapter.h>

namespace {

class Stack {
  public:
    Stack(void *memory, size_t n_bytes)
        : start_(static_cast<unsigned char *>(memory)), at_(start_), end_(start_ + n_bytes)
    {
    }

    void *alloc(size_t n_bytes)
    {
        size_t n_rounded = n_bytes / 16 * 16 + 16;
        if (n_rounded < n_bytes || n_rounded > static_cast<size_t>(end_ - at_)) {
            return nullptr;
        }
        at_ += n_rounded;
        n_live_++;
        return at_ - n_rounded;
    }

    void free(void *p, size_t n_bytes)
    {
        unsigned char *start = static_cast<unsigned char *>(p);
        if (--n_live_ == 0) {
            at_ = start_;
        } else if (start + n_bytes / 16 * 16 + 16 == at_) {
            at_ = start;
        }
    }

    void reset()
    {
        at_ = start_;
        n_live_ = 0;
    }

    const char *check() const
    {
        return at_ <= end_ ? nullptr : "the stack is above its end";
    }

  private:
    unsigned char *start_, *at_, *end_;
    size_t n_live_ = 0;
};

} // namespace

SLM_ADAPTER(stack) = slm_adapter_of<Stack>([](slm_adapter &a) {
    a.align_bytes = 16;
    a.region_min_bytes = 64;
});
