/* SPDX-License-Identifier: Apache-2.0 */
/* Errors with a text, and the status of each errno. */
#include <slabmill/error.h>

#include <cerrno>
#include <cstring>
#include <gtest/gtest.h>
#include <string>

namespace {

TEST(Error, SetFillsInEveryFieldAndReturnsTheStatus)
{
    slm_error error;
    memset(&error, 0xFF, sizeof error);
    EXPECT_EQ(slm_error_set(&error, SLM_E_MAGIC, ENOENT, "%s: %d", "keys", 42), SLM_E_MAGIC);
    EXPECT_EQ(error.status, SLM_E_MAGIC);
    EXPECT_EQ(error.os_errno, ENOENT);
    EXPECT_STREQ(error.text, "keys: 42");
}

TEST(Error, SetWithNullReturnsTheStatus)
{
    EXPECT_EQ(slm_error_set(nullptr, SLM_E_SPACE, ENOSPC, "%s", "text"), SLM_E_SPACE);
    EXPECT_EQ(slm_error_clear(nullptr), SLM_OK);
}

TEST(Error, SetKeepsErrno)
{
    slm_error error;
    errno = 4711;
    (void)slm_error_set(&error, SLM_E_IO, EIO, "%s", "text");
    EXPECT_EQ(errno, 4711);
    (void)slm_error_clear(&error);
    EXPECT_EQ(errno, 4711);
}

TEST(Error, ATextThatIsTooLongKeepsItsStartAndItsEnd)
{
    slm_error error;
    std::string exact(SLM_ERROR_BYTES - 1, 'x');
    (void)slm_error_set(&error, SLM_E_IO, 0, "%s", exact.c_str());
    EXPECT_EQ(error.text, exact);
    for (size_t n_path : {SLM_ERROR_BYTES - 25, 1000u, 4096u}) {
        std::string path(n_path, 'x');
        (void)slm_error_set(&error, SLM_E_IO, 0, "zone keys: %s: cannot be opened", path.c_str());
        std::string text = error.text;
        EXPECT_EQ(text.size(), SLM_ERROR_BYTES - 1);
        EXPECT_EQ(text.find("zone keys: xxx"), 0u);
        EXPECT_NE(text.find("xxx...xxx"), std::string::npos);
        EXPECT_EQ(text.substr(text.size() - 21), "xxx: cannot be opened");
    }
}

TEST(Error, ClearRemovesTheErrorBefore)
{
    slm_error error;
    (void)slm_error_set(&error, SLM_E_IO, EIO, "%s", "text");
    EXPECT_EQ(slm_error_clear(&error), SLM_OK);
    EXPECT_EQ(error.status, SLM_OK);
    EXPECT_EQ(error.os_errno, 0);
    EXPECT_STREQ(error.text, "");
}

TEST(Error, EachErrnoHasTheStatusThatTheHeaderPromises)
{
    const struct {
        int os_errno;
        slm_status status;
    } promised[] = {
        {EACCES, SLM_E_ACCESS},  {EPERM, SLM_E_ACCESS},  {ELOOP, SLM_E_ACCESS},
        {ENOENT, SLM_E_MISSING}, {EEXIST, SLM_E_EXISTS}, {ENOSPC, SLM_E_SPACE},
        {EDQUOT, SLM_E_SPACE},   {EFBIG, SLM_E_SPACE},   {ENOMEM, SLM_E_NOMEM},
        {EAGAIN, SLM_E_NOMEM},   {EMFILE, SLM_E_NOMEM},  {ENFILE, SLM_E_NOMEM},
        {EIO, SLM_E_IO},         {EINVAL, SLM_E_IO},     {EBADF, SLM_E_IO},
        {0, SLM_E_IO},           {-1, SLM_E_IO},         {100000, SLM_E_IO},
    };
    for (const auto &each : promised) {
        EXPECT_EQ(slm_error_of_errno(each.os_errno), each.status) << each.os_errno;
    }
}

TEST(Error, EachCauseInSegmentsAndZonesHasItsOwnStatus)
{
    const slm_status statuses[] = {
        SLM_OWNER_DIED,  SLM_E_LOCKED,    SLM_E_TIMEOUT,   SLM_E_HELD,    SLM_E_OWNER,
        SLM_E_BROKEN,    SLM_E_NAME,      SLM_E_EXISTS,    SLM_E_MISSING, SLM_E_ACCESS,
        SLM_E_SPACE,     SLM_E_TRUNCATED, SLM_E_MAGIC,     SLM_E_VERSION, SLM_E_CHECKSUM,
        SLM_E_READ_ONLY, SLM_E_DUPLICATE, SLM_E_NOT_MEMBER};
    const char *const names[] = {
        "SLM_OWNER_DIED",  "SLM_E_LOCKED",    "SLM_E_TIMEOUT",   "SLM_E_HELD",    "SLM_E_OWNER",
        "SLM_E_BROKEN",    "SLM_E_NAME",      "SLM_E_EXISTS",    "SLM_E_MISSING", "SLM_E_ACCESS",
        "SLM_E_SPACE",     "SLM_E_TRUNCATED", "SLM_E_MAGIC",     "SLM_E_VERSION", "SLM_E_CHECKSUM",
        "SLM_E_READ_ONLY", "SLM_E_DUPLICATE", "SLM_E_NOT_MEMBER"};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        EXPECT_STREQ(slm_status_name(statuses[i]), names[i]);
        EXPECT_STRNE(slm_status_text(statuses[i]), "an unknown result code");
    }
}

} // namespace
