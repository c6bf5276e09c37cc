/* SPDX-License-Identifier: Apache-2.0 */
/* A C++ program over the installed library: a standard string in a pool. */
#include <cstdio>
#include <slabmill/memory_resource.hpp>
#include <string>

int main()
{
    slm_pool *pool = nullptr;
    if (slm_pool_create(&pool, 4096, nullptr, 0) != SLM_OK) {
        return 1;
    }
    {
        slabmill::pool_resource resource(pool);
        std::pmr::string text(40, 'x', &resource);
        if (slm_pool_owns(pool, text.data()) == 1) {
            std::printf("a string of %zu bytes is in the pool\n", text.size());
        }
    }
    return slm_pool_destroy(pool) == SLM_OK ? 0 : 1;
}
