// SPDX-License-Identifier: Apache-2.0
// Boost.Interprocess: a managed_external_buffer on the region, with its best-fit tree or its simple
// sequential fit.
#include <new>

#include <boost/interprocess/indexes/iset_index.hpp>
#include <boost/interprocess/managed_external_buffer.hpp>
#include <boost/interprocess/mem_algo/rbtree_best_fit.hpp>
#include <boost/interprocess/mem_algo/simple_seq_fit.hpp>

#include "peers/peer.h"

namespace {

namespace bi = boost::interprocess;

template <class Algorithm>
using Buffer = bi::basic_managed_external_buffer<char, Algorithm, bi::iset_index>;

using Best = Buffer<bi::rbtree_best_fit<bi::null_mutex_family>>;
using Simple = Buffer<bi::simple_seq_fit<bi::null_mutex_family>>;

template <class B> struct Arena {
    B buffer;
    const slm_adapter_env *env;
};

template <class B> struct Calls {
    static Arena<B> *arena(void *self)
    {
        return static_cast<Arena<B> *>(self);
    }

    static void *create(const slm_adapter_env *env)
    {
        try {
            return new Arena<B>{B(bi::create_only, env->region, env->region_bytes), env};
        } catch (const bi::interprocess_exception &) {
            return nullptr;
        }
    }

    static void destroy(void *self)
    {
        delete arena(self);
    }

    static void *allocate(void *self, size_t size_bytes)
    {
        return size_bytes > PEER_SIZE_MAX ? nullptr : allocate_any(self, size_bytes);
    }

    static void *allocate_aligned(void *self, size_t align_bytes, size_t size_bytes)
    {
        return size_bytes > PEER_SIZE_MAX ? nullptr
                                          : allocate_aligned_any(self, align_bytes, size_bytes);
    }

    static void *allocate_any(void *self, size_t size_bytes)
    {
        return arena(self)->buffer.allocate(size_bytes, std::nothrow);
    }

    static void *allocate_aligned_any(void *self, size_t align_bytes, size_t size_bytes)
    {
        return arena(self)->buffer.allocate_aligned(size_bytes, align_bytes, std::nothrow);
    }

    static slm_adapter_answer release(void *self, void *p, size_t)
    {
        arena(self)->buffer.deallocate(p);
        return SLM_ADAPTER_OK;
    }

    // Grows or shrinks without moving. size is the wanted size, and then the one it got.
    static slm_adapter_answer resize_in_place(void *self, void *p, size_t old_bytes,
                                              size_t new_bytes)
    {
        typename B::size_type size = new_bytes;
        char *reuse = static_cast<char *>(p);
        bi::allocation_type how = new_bytes > old_bytes ? bi::expand_fwd : bi::shrink_in_place;
        char *got = arena(self)->buffer.template allocation_command<char>(
            how | bi::nothrow_allocation, new_bytes > old_bytes ? new_bytes : old_bytes, size,
            reuse);
        return got == nullptr ? SLM_ADAPTER_UNCHANGED : SLM_ADAPTER_OK;
    }

    static size_t usable_bytes(void *self, void *p)
    {
        return arena(self)->buffer.get_segment_manager()->size(p);
    }

    static const char *check(void *self)
    {
        return arena(self)->buffer.check_sanity() ? nullptr : "check_sanity returns false";
    }

    static void statistics(void *self, slm_adapter_statistics *statistics)
    {
        statistics->free_bytes = arena(self)->buffer.get_free_memory();
    }

    static slm_adapter_answer grow(void *self, size_t by_bytes)
    {
        arena(self)->buffer.grow(by_bytes);
        return SLM_ADAPTER_OK;
    }

    static slm_adapter_answer grow_by_blocks(void *self, size_t by_bytes)
    {
        return by_bytes < 256 ? SLM_ADAPTER_REFUSED : grow(self, by_bytes);
    }

    static void emptied(void *self, bool)
    {
        if (!arena(self)->buffer.all_memory_deallocated()) {
            const slm_adapter_env *env = arena(self)->env;
            env->fail(env, "pristine: no object is live, and all_memory_deallocated() is false");
        }
    }
};

template <class B> slm_adapter table()
{
    static slm_adapter_checks checks{};
    checks.emptied = Calls<B>::emptied;
    slm_adapter made{};
    made.create = Calls<B>::create;
    made.alloc = Calls<B>::allocate;
    made.free = Calls<B>::release;
    made.destroy = Calls<B>::destroy;
    made.alloc_aligned = Calls<B>::allocate_aligned;
    made.resize_in_place = Calls<B>::resize_in_place;
    made.usable_bytes = Calls<B>::usable_bytes;
    made.grow = Calls<B>::grow;
    made.check = Calls<B>::check;
    made.statistics = Calls<B>::statistics;
    made.align_max_bytes = PEER_ALIGN_MAX;
    made.zero = SLM_ADAPTER_ZERO_UNIQUE;
    made.memory = SLM_ADAPTER_REGION;
    made.region_min_bytes = 4096;
    made.empty_serves = true;
    made.freed_serves = true;
    made.monotone = true;
    made.checks = &checks;
    return made;
}

// Best fit without growth by few bytes, which fails an assertion.
slm_adapter best_table()
{
    slm_adapter made = table<Best>();
    made.grow = Calls<Best>::grow_by_blocks;
    return made;
}

// With sizes that no region has, which `allocate` above keeps from it.
template <class B> slm_adapter huge(slm_adapter made)
{
    made.alloc = Calls<B>::allocate_any;
    made.alloc_aligned = Calls<B>::allocate_aligned_any;
    return made;
}

} // namespace

SLM_ADAPTER(boost_best_fit) = best_table();
SLM_ADAPTER(boost_seq_fit) = table<Simple>();
SLM_ADAPTER(boost_best_fit_huge) = huge<Best>(best_table());
SLM_ADAPTER(boost_seq_fit_huge) = huge<Simple>(table<Simple>());
SLM_ADAPTER(boost_best_fit_grow) = table<Best>();
