/* SPDX-License-Identifier: Apache-2.0 */
/* Red-black trees: each call ends, for any links of a damaged tree. */
#include <csignal>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/tree/rbtree_fixture.h"

namespace {

using treetest::Arena;
using treetest::compare_item;

constexpr size_t kNodes = 15;

/* Each call, on the tree as it is; each starts from the same damage. */
void call_all(Arena *arena)
{
    auto image = arena->image();
    for (uint64_t key = 0; key <= kNodes; key++) {
        (void)slm_rbtree_find(&arena->journal, arena->tree, &key, compare_item);
        (void)slm_rbtree_lower_bound(&arena->journal, arena->tree, &key, compare_item);
        (void)arena->insert(kNodes, key);
        arena->restore(image);
    }
    (void)slm_rbtree_first(&arena->journal, arena->tree);
    (void)slm_rbtree_last(&arena->journal, arena->tree);
    for (size_t i = 0; i < kNodes; i++) {
        (void)slm_rbtree_next(&arena->journal, arena->node(i));
        (void)slm_rbtree_prev(&arena->journal, arena->node(i));
        (void)arena->remove(i);
        arena->restore(image);
    }
}

/* A call may end the process, of which nothing is printed, but not use a minute of its time. */
bool ends(Arena *arena)
{
    pid_t child = fork();
    if (child == 0) {
        struct rlimit minute = {60, 60};
        (void)setrlimit(RLIMIT_CPU, &minute);
        (void)close(STDERR_FILENO);
        (void)signal(SIGSEGV, SIG_DFL);
        (void)signal(SIGABRT, SIG_DFL);
        call_all(arena);
        _exit(0);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return !WIFSIGNALED(status) || (WTERMSIG(status) != SIGXCPU && WTERMSIG(status) != SIGKILL);
}

TEST(RbtreeDamage, EveryCallEndsWhereALinkLeadsToAnotherNode)
{
    Arena arena(kNodes + 1);
    for (size_t i = 0; i < kNodes; i++) {
        ASSERT_EQ(arena.insert(i, i), SLM_OK);
    }
    auto whole = arena.image();
    for (size_t i = 0; i < kNodes; i++) {
        for (slm_word slm_rbtree_node::*link :
             {&slm_rbtree_node::left, &slm_rbtree_node::right, &slm_rbtree_node::parent}) {
            for (size_t target = 0; target < kNodes; target++) {
                arena.restore(whole);
                arena.node(i)->*link =
                    arena.offset(arena.node(target)) | (arena.node(i)->parent & 1);
                if (link != &slm_rbtree_node::parent) {
                    arena.node(i)->*link &= ~uint64_t{1};
                }
                ASSERT_TRUE(ends(&arena)) << "node " << i << " leads to node " << target;
            }
        }
    }
}

TEST(RbtreeDamage, ASearchThatGoesRoundIsRefused)
{
    Arena arena(kNodes + 1);
    uint64_t key = 100;
    for (size_t i = 0; i < kNodes; i++) {
        ASSERT_EQ(arena.insert(i, i), SLM_OK);
    }
    arena.node(kNodes - 1)->right = arena.tree->root;
    EXPECT_EQ(slm_rbtree_find(&arena.journal, arena.tree, &key, compare_item), nullptr);
    EXPECT_EQ(arena.insert(kNodes, key), SLM_E_IMAGE);
    EXPECT_EQ(arena.tree->n_nodes, kNodes);
    EXPECT_NE(arena.check(), 0u);
}

TEST(RbtreeDamage, ARemoveWhoseSuccessorIsNowhereIsRefused)
{
    Arena arena(kNodes);
    for (size_t i = 0; i < kNodes; i++) {
        ASSERT_EQ(arena.insert(i, i), SLM_OK);
    }
    auto *root = arena.at(arena.tree->root);
    auto *right = arena.at(root->right);
    right->left = root->right;
    auto image = arena.image();
    EXPECT_EQ(slm_rbtree_remove(&arena.journal, arena.tree, root), SLM_E_IMAGE);
    EXPECT_EQ(arena.image(), image);
}

} // namespace
