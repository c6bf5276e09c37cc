/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of processes that may not open a file any more. */
#ifndef SLM_TESTS_RIGHTS_H
#define SLM_TESTS_RIGHTS_H

#include <linux/capability.h>
#include <string>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace slm_test {

/* Afterwards this process and its children cannot open the file, also if root runs the test. What
 * is open stays open. */
inline bool give_up_right_to(const std::string &path)
{
    __user_cap_header_struct self{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3]{};
    return chmod(path.c_str(), 0) == 0 && syscall(SYS_capset, &self, none) == 0;
}

} // namespace slm_test

#endif
