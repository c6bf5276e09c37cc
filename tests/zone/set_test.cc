/* SPDX-License-Identifier: Apache-2.0 */
/* The zones of a server over its reloads: either all declared zones, or no change. */
#include <climits>

#include "tests/zone/set_fixture.h"

namespace {

using namespace slm_test;

class ZoneSet : public testing::Test {
  protected:
    slm_zone_options options(const char *name, Kind kind = SLM_SEGMENT_MEMFD) const
    {
        slm_zone_options result = all.of(kind);
        result.name = name;
        return result;
    }

    ZoneOptions all;
    Inits inits;
    Set set;
};

TEST_F(ZoneSet, ReportsWrongArguments)
{
    slm_zone_declaration one = inits.declare(options("one"));
    slm_error error;
    EXPECT_EQ(slm_zone_set_create(nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_zone_set_apply(nullptr, &one, 1, &error), SLM_E_NULL);
    EXPECT_EQ(slm_zone_set_apply(set, nullptr, 1, &error), SLM_E_NULL);
    EXPECT_EQ(slm_zone_set_adopt(nullptr, nullptr), SLM_E_NULL);
    EXPECT_EQ(slm_zone_set_adopt(set, nullptr), SLM_E_NULL);
    EXPECT_EQ(set.apply({one, inits.declare(options("one"))}), SLM_E_DUPLICATE);
    EXPECT_NE(strstr(set.error.text, "one"), nullptr);
    EXPECT_EQ(set.apply({inits.declare(options(nullptr))}), SLM_E_NAME);
    EXPECT_EQ(set.apply({inits.declare(options(""))}), SLM_E_NAME);
    EXPECT_EQ(set.error.status, SLM_E_NAME);
    EXPECT_EQ(set.size(), 0u);
    EXPECT_EQ(inits.n_calls, 0u);
    slm_zone_set_destroy(nullptr);
}

/* Sets the paths of the files of two zones to one file. */
struct OneFile {
    const char *name;
    void (*share)(const Folder &folder, slm_zone_options &one, slm_zone_options &other,
                  std::string paths[2]);
};

void lock_by(slm_zone_options &options, std::string &path)
{
    options.lock_kind = SLM_LOCK_FILE;
    options.lock_path = path.c_str();
}

void make_file(const std::string &path)
{
    std::ofstream file(path);
    EXPECT_TRUE(file.is_open());
}

std::string from_here(const std::string &path)
{
    char here[PATH_MAX];
    std::string up;
    EXPECT_NE(getcwd(here, sizeof here), nullptr);
    for (const char *at = here; *at != '\0'; at++) {
        up += *at == '/' ? "../" : "";
    }
    return up + path.substr(1);
}

const OneFile kOneFile[] = {
    {"SamePath",
     [](const Folder &folder, slm_zone_options &one, slm_zone_options &other, std::string *paths) {
         paths[0] = paths[1] = folder / "shared";
         lock_by(one, paths[0]);
         lock_by(other, paths[1]);
     }},
    {"HardLinks",
     [](const Folder &folder, slm_zone_options &one, slm_zone_options &other, std::string *paths) {
         paths[0] = folder / "shared";
         paths[1] = folder / "link";
         make_file(paths[0]);
         EXPECT_EQ(link(paths[0].c_str(), paths[1].c_str()), 0);
         lock_by(one, paths[0]);
         lock_by(other, paths[1]);
     }},
    {"RelativeAndAbsoluteOfAFileThatIsThere",
     [](const Folder &folder, slm_zone_options &one, slm_zone_options &other, std::string *paths) {
         paths[0] = folder / "shared";
         paths[1] = from_here(paths[0]);
         make_file(paths[0]);
         lock_by(one, paths[0]);
         lock_by(other, paths[1]);
     }},
    {"RelativeAndAbsoluteOfANewFile",
     [](const Folder &folder, slm_zone_options &one, slm_zone_options &other, std::string *paths) {
         paths[0] = folder / "shared";
         paths[1] = from_here(paths[0]);
         lock_by(one, paths[0]);
         lock_by(other, paths[1]);
     }},
    {"ThroughALinkToTheFolder",
     [](const Folder &folder, slm_zone_options &one, slm_zone_options &other, std::string *paths) {
         EXPECT_EQ(symlink(".", (folder / "here").c_str()), 0);
         paths[0] = folder / "shared";
         paths[1] = folder / "here/shared";
         lock_by(one, paths[0]);
         lock_by(other, paths[1]);
     }},
    {"LockOfOneIsTheSegmentOfTheOther",
     [](const Folder &folder, slm_zone_options &one, slm_zone_options &other, std::string *paths) {
         paths[0] = folder / "shared";
         paths[1] = folder / "./shared";
         lock_by(one, paths[0]);
         other.segment.kind = SLM_SEGMENT_FILE;
         other.segment.name = paths[1].c_str();
     }},
    {"OneSegment",
     [](const Folder &folder, slm_zone_options &one, slm_zone_options &other, std::string *paths) {
         paths[0] = paths[1] = folder / "shared";
         one.segment.kind = other.segment.kind = SLM_SEGMENT_FILE;
         one.segment.name = other.segment.name = paths[0].c_str();
     }},
    {"OneSegmentByNameAndByPath",
     [](const Folder &folder, slm_zone_options &one, slm_zone_options &other, std::string *paths) {
         paths[0] = folder.path().substr(folder.path().rfind('/') + 1);
         paths[1] = "/dev/shm/" + paths[0];
         one.segment.kind = SLM_SEGMENT_POSIX;
         one.segment.name = paths[0].c_str();
         other.segment.kind = SLM_SEGMENT_FILE;
         other.segment.name = paths[1].c_str();
     }},
};

TEST_F(ZoneSet, RefusesTwoZonesWithOneFile)
{
    for (const OneFile &case_of : kOneFile) {
        SCOPED_TRACE(case_of.name);
        Folder folder;
        Set fresh;
        std::string paths[2];
        slm_zone_options one = options("one");
        slm_zone_options other = options("other");
        case_of.share(folder, one, other, paths);
        std::set<std::string> before = folder.names();
        for (const auto &declared : {std::vector<slm_zone_options>{one, other}, {other, one}}) {
            EXPECT_EQ(fresh.apply({inits.declare(declared[0]), inits.declare(declared[1])}),
                      SLM_E_DUPLICATE);
            EXPECT_NE(strstr(fresh.error.text, "zone one"), nullptr) << fresh.error.text;
            EXPECT_NE(strstr(fresh.error.text, "zone other"), nullptr) << fresh.error.text;
        }
        EXPECT_EQ(folder.names(), before);
        EXPECT_EQ(inits.n_calls, 0u);
    }
}

TEST_F(ZoneSet, AcceptsLockFilesOfOneNameInTwoFolders)
{
    Folder first, second;
    std::string paths[] = {first / "lock", second / "lock"};
    slm_zone_options one = options("one");
    slm_zone_options other = options("other");
    lock_by(one, paths[0]);
    lock_by(other, paths[1]);
    for (unsigned i = 0; i < 2; i++) { /* new ones, then those that are there */
        EXPECT_EQ(set.apply({inits.declare(one), inits.declare(other)}), SLM_OK) << set.error.text;
    }
}

TEST_F(ZoneSet, HasTheDeclaredZonesInTheirOrder)
{
    ASSERT_EQ(set.apply({inits.declare(options("one")), inits.declare(options("two"))}), SLM_OK)
        << set.error.text;
    EXPECT_EQ(set.size(), 2u);
    EXPECT_STREQ(slm_zone_name(slm_zone_set_at(set, 0)), "one");
    EXPECT_STREQ(slm_zone_name(slm_zone_set_at(set, 1)), "two");
    EXPECT_EQ(slm_zone_set_at(set, 2), nullptr);
    EXPECT_EQ(set["two"], slm_zone_set_at(set, 1));
    EXPECT_EQ(set["three"], nullptr);
    EXPECT_EQ(inits.reused, (std::vector<bool>{false, false}));
    EXPECT_EQ(numbers_alone(set["one"]), (Numbers{1001}));
}

/* nginx's Z3: a zone without a callback. */
TEST_F(ZoneSet, NeedsNoCallback)
{
    slm_zone_declaration declaration = {options("one"), nullptr, nullptr, false};
    ASSERT_EQ(set.apply({declaration}), SLM_OK) << set.error.text;
    ASSERT_EQ(push_alone(set["one"], 1), SLM_OK);
    ASSERT_EQ(set.apply({declaration}), SLM_OK) << set.error.text;
    EXPECT_EQ(numbers_alone(set["one"]), (Numbers{1}));
}

TEST_F(ZoneSet, ChildrenInheritIt)
{
    ASSERT_EQ(set.apply({inits.declare(options("one"))}), SLM_OK);
    EXPECT_EQ(in_child([&] { return push_alone(set["one"], 5) == SLM_OK ? 0 : 1; }), 0);
    EXPECT_EQ(numbers_alone(set["one"]), (Numbers{5, 1001}));
}

TEST_F(ZoneSet, DeclaredAgainKeepsContentAndHandle)
{
    for (Kind kind : kEveryKind) {
        Set fresh;
        ZoneOptions own;
        slm_zone_options same = own.of(kind);
        inits = Inits();
        ASSERT_EQ(fresh.apply({inits.declare(same)}), SLM_OK) << fresh.error.text;
        slm_zone *zone = fresh["keys"];
        Holdings before;
        ASSERT_EQ(fresh.apply({inits.declare(same)}), SLM_OK) << fresh.error.text;
        EXPECT_EQ(fresh["keys"], zone);
        EXPECT_EQ(inits.reused, (std::vector<bool>{false, true}));
        EXPECT_EQ(numbers_alone(zone), (Numbers{1002, 1001}));
        EXPECT_EQ(Holdings(), before);
    }
}

/* nginx's Z2, both ways: the old mapping is neither used further nor leaked. */
TEST_F(ZoneSet, NoReuseMakesANewZoneThatLaterReloadsKeep)
{
    slm_zone_declaration declaration = inits.declare(options("one"));
    ASSERT_EQ(set.apply({declaration}), SLM_OK);
    Holdings before;
    declaration.no_reuse = true;
    ASSERT_EQ(set.apply({declaration}), SLM_OK);
    EXPECT_EQ(numbers_alone(set["one"]), (Numbers{1002}));
    EXPECT_EQ(Holdings(), before);
    declaration.no_reuse = false;
    ASSERT_EQ(set.apply({declaration}), SLM_OK);
    EXPECT_EQ(numbers_alone(set["one"]), (Numbers{1003, 1002}));
    EXPECT_EQ(Holdings(), before);
    EXPECT_EQ(inits.reused, (std::vector<bool>{false, false, true}));
}

/* nginx's Z5: in nginx a longer zone is a new, empty one. */
TEST_F(ZoneSet, DeclaredLongerGrowsAndKeepsItsContent)
{
    for (Kind kind : kEveryKind) {
        Set fresh;
        ZoneOptions own;
        slm_zone_options longer = own.of(kind);
        ASSERT_EQ(fresh.apply({inits.declare(longer)}), SLM_OK) << fresh.error.text;
        slm_zone *zone = fresh["keys"];
        Numbers content = numbers_alone(zone);
        longer.bytes = 3 * kZoneBytes;
        ASSERT_EQ(fresh.apply({{longer, nullptr, nullptr, false}}), SLM_OK) << fresh.error.text;
        EXPECT_EQ(fresh["keys"], zone);
        EXPECT_EQ(zone_bytes(zone), 3 * kZoneBytes);
        EXPECT_EQ(numbers_alone(zone), content);
        EXPECT_NE(slm_zone_alloc(zone, 2 * kZoneBytes, nullptr), nullptr);
        EXPECT_EQ(check_alone(zone), 0u);
    }
}

/* A lock must not take the space reserved for this growth for a surplus that no process uses. */
TEST_F(ZoneSet, ACallbackMayCheckAZoneWhoseGrowthIsThenTakenBack)
{
    auto check = [](slm_zone *zone, bool is_reused, void *) {
        EXPECT_EQ(slm_zone_check_locked(zone), 0u);
        return is_reused ? SLM_E_STATE : SLM_OK;
    };
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_MEMFD, SLM_SEGMENT_FILE}) {
        Set fresh;
        ZoneOptions own;
        struct stat about;
        slm_zone_options longer = own.of(kind);
        ASSERT_EQ(fresh.apply({{longer, check, nullptr, false}}), SLM_OK) << fresh.error.text;
        longer.bytes = 3 * kZoneBytes;
        ASSERT_EQ(fresh.apply({{longer, check, nullptr, false}}), SLM_E_STATE);
        ASSERT_EQ(fstat(slm_segment_id(slm_zone_segment(fresh["keys"])), &about), 0);
        EXPECT_EQ(static_cast<size_t>(about.st_size), kZoneBytes);
        EXPECT_EQ(check_alone(fresh["keys"]), 0u);
    }
}

TEST_F(ZoneSet, GrownAtRuntimeIsKeptByTheSameDeclaration)
{
    slm_zone_declaration declaration = inits.declare(options("one"));
    ASSERT_EQ(set.apply({declaration}), SLM_OK);
    ASSERT_EQ(slm_zone_grow(set["one"], 2 * kZoneBytes, nullptr), SLM_OK);
    ASSERT_EQ(set.apply({declaration}), SLM_OK);
    EXPECT_EQ(numbers_alone(set["one"]), (Numbers{1002, 1001}));
    EXPECT_EQ(zone_bytes(set["one"]), 2 * kZoneBytes);
}

/* A change of a declaration that its zone cannot follow. */
struct Change {
    const char *name;
    void (*make)(slm_zone_options &options);
    slm_status status;
    const char *text;
};

const Change kRefusedChanges[] = {
    {"tag", [](slm_zone_options &o) { o.tag = "test v2"; }, SLM_E_NAME,
     "zone one: its tag is \"test v1\", and \"test v2\" is declared"},
    {"no tag", [](slm_zone_options &o) { o.tag = nullptr; }, SLM_E_NAME,
     "zone one: its tag is \"test v1\", and \"\" is declared"},
    {"beyond its max", [](slm_zone_options &o) { o.bytes = o.max_bytes = 2 * kZoneMaxBytes; },
     SLM_E_SIZE, "zone one: its max_bytes is 1048576, and bytes 2097152 is declared"},
    {"lock", [](slm_zone_options &o) { o.lock_kind = SLM_LOCK_SPIN_SEM; }, SLM_E_OPTION,
     "zone one: its lock_kind is 0, and 1 is declared"},
    {"journal", [](slm_zone_options &o) { o.journal_entries = 300; }, SLM_E_OPTION,
     "zone one: its journal_entries is 256, and 300 is declared"},
    {"page size", [](slm_zone_options &o) { o.slab.page_bytes = 16384; }, SLM_E_OPTION,
     "zone one: its slab.page_bytes is 4096, and 16384 is declared"},
    {"smallest object", [](slm_zone_options &o) { o.slab.min_object_bytes = 64; }, SLM_E_OPTION,
     "zone one: its slab.min_object_bytes is 8, and 64 is declared"},
    {"classes", [](slm_zone_options &o) { o.slab.per_doubling = 8; }, SLM_E_OPTION,
     "zone one: its slab.per_doubling is 1, and 8 is declared"},
    {"gap", [](slm_zone_options &o) { o.slab.gap_bytes = 24; }, SLM_E_OPTION,
     "zone one: its slab.gap_bytes is 0, and 24 is declared"},
    {"kind", [](slm_zone_options &o) { o.segment.kind = SLM_SEGMENT_ANONYMOUS; }, SLM_E_OPTION,
     "zone one: its segment.kind is 3, and 0 is declared"},
};

TEST_F(ZoneSet, RefusesWhatAZoneCannotBecomeBeforeAnythingChanges)
{
    for (const Change &change : kRefusedChanges) {
        SCOPED_TRACE(change.name);
        Set fresh;
        slm_zone_options base = options("one");
        base.bytes = 2 * kZoneBytes;
        slm_zone_options file = all.of(SLM_SEGMENT_FILE);
        inits = Inits();
        ASSERT_EQ(fresh.apply({inits.declare(base)}), SLM_OK) << fresh.error.text;
        Holdings before;
        change.make(base);
        EXPECT_EQ(fresh.apply({inits.declare(file), inits.declare(base)}), change.status);
        EXPECT_STREQ(fresh.error.text, change.text);
        EXPECT_EQ(inits.n_calls, 1u);
        EXPECT_EQ(Holdings(), before);
        EXPECT_NE(access(all.path(SLM_SEGMENT_FILE).c_str(), F_OK), 0);
        EXPECT_EQ(numbers_alone(fresh["one"]), (Numbers{1001}));
        slm_zone_declaration on_purpose = inits.declare(base);
        on_purpose.no_reuse = true;
        EXPECT_EQ(fresh.apply({on_purpose}), SLM_OK) << fresh.error.text;
        EXPECT_EQ(numbers_alone(fresh["one"]), (Numbers{1002}));
    }
}

TEST_F(ZoneSet, RefusesAnotherLockFileAndOneThatWasReplaced)
{
    slm_zone_options locked = all.of(SLM_SEGMENT_MEMFD, SLM_LOCK_FILE);
    std::string another = all.folder() / "another lock";
    slm_zone_options moved = locked;
    moved.lock_path = another.c_str();
    ASSERT_EQ(set.apply({inits.declare(locked)}), SLM_OK) << set.error.text;
    EXPECT_EQ(set.apply({inits.declare(moved)}), SLM_E_REPLACED);
    EXPECT_NE(strstr(set.error.text, "zone keys: "), nullptr) << set.error.text;
    EXPECT_NE(strstr(set.error.text, another.c_str()), nullptr) << set.error.text;
    make_file(another);
    EXPECT_EQ(set.apply({inits.declare(moved)}), SLM_E_ACCESS); /* others may read it */
    ASSERT_EQ(chmod(another.c_str(), 0600), 0);
    EXPECT_EQ(set.apply({inits.declare(moved)}), SLM_E_REPLACED);
    EXPECT_EQ(set.apply({inits.declare(locked)}), SLM_OK) << set.error.text;
    ASSERT_EQ(unlink(locked.lock_path), 0);
    EXPECT_EQ(set.apply({inits.declare(locked)}), SLM_E_REPLACED);
    EXPECT_EQ(numbers_alone(set["keys"]), (Numbers{1002, 1001}));
}

TEST_F(ZoneSet, DeclaredShorterKeepsItsLengthAndContent)
{
    for (Kind kind : kEveryKind) {
        Set fresh;
        ZoneOptions own;
        slm_zone_options shorter = own.of(kind);
        shorter.bytes = 2 * kZoneBytes;
        inits = Inits();
        ASSERT_EQ(fresh.apply({inits.declare(shorter)}), SLM_OK) << fresh.error.text;
        shorter.bytes = kZoneBytes;
        ASSERT_EQ(fresh.apply({inits.declare(shorter)}), SLM_OK) << fresh.error.text;
        EXPECT_EQ(zone_bytes(fresh["keys"]), 2 * kZoneBytes);
        EXPECT_EQ(numbers_alone(fresh["keys"]), (Numbers{1002, 1001}));
    }
}

/* So that a library with other defaults reuses what an older one made. */
TEST_F(ZoneSet, AnOptionThatIsZeroMeansWhatIsStored)
{
    slm_zone_options made = options("one");
    made.journal_entries = 300;
    made.slab.page_bytes = 16384;
    made.slab.min_object_bytes = 32;
    made.slab.per_doubling = 4;
    made.slab.gap_bytes = 8;
    ASSERT_EQ(set.apply({inits.declare(made)}), SLM_OK) << set.error.text;
    struct slm_zone_stats before = {};
    struct slm_zone_stats after = {};
    slm_zone_get_stats(set["one"], &before);
    slm_zone_options plain = options("one");
    plain.journal_entries = 0;
    plain.max_bytes = 0;
    ASSERT_EQ(set.apply({inits.declare(plain)}), SLM_OK) << set.error.text;
    slm_zone_get_stats(set["one"], &after);
    EXPECT_EQ(inits.reused, (std::vector<bool>{false, true}));
    EXPECT_EQ(numbers_alone(set["one"]), (Numbers{1002, 1001}));
    EXPECT_EQ(after.journal_entries, 300u);
    EXPECT_EQ(after.max_bytes, before.max_bytes);
    EXPECT_TRUE(slm_slab_has_options(slm_zone_slab(set["one"]), &made.slab));
}

/* Both segments have names. The old name stays taken as long as the old zone exists. */
TEST_F(ZoneSet, ANamedZoneThatIsNotReusedNeedsAnotherSegmentName)
{
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE}) {
        Set fresh;
        ZoneOptions own, other;
        slm_zone_declaration changed = inits.declare(own.of(kind));
        ASSERT_EQ(fresh.apply({changed}), SLM_OK) << fresh.error.text;
        Numbers content = numbers_alone(fresh["keys"]);
        changed.no_reuse = true;
        EXPECT_EQ(fresh.apply({changed}), SLM_E_EXISTS);
        EXPECT_NE(strstr(fresh.error.text, own.path(kind).c_str()), nullptr) << fresh.error.text;
        EXPECT_EQ(numbers_alone(fresh["keys"]), content);
        EXPECT_EQ(access(own.path(kind).c_str(), F_OK), 0);
        changed.options.segment.name = other.of(kind).segment.name;
        inits = Inits();
        EXPECT_EQ(fresh.apply({changed}), SLM_OK) << fresh.error.text;
        EXPECT_EQ(inits.reused, (std::vector<bool>{false}));
    }
}

/* Its users keep the zone, but no start would find it. */
TEST_F(ZoneSet, NoticesThatAZonesNameWasRemovedOrLeadsElsewhere)
{
    for (Kind kind : {SLM_SEGMENT_POSIX, SLM_SEGMENT_FILE}) {
        Set fresh;
        ZoneOptions own;
        inits = Inits();
        slm_zone_declaration declared = inits.declare(own.of(kind));
        ASSERT_EQ(fresh.apply({declared}), SLM_OK) << fresh.error.text;
        std::string path = own.path(kind);
        ASSERT_EQ(unlink(path.c_str()), 0);
        EXPECT_EQ(fresh.apply({declared}), SLM_E_MISSING);
        EXPECT_NE(strstr(fresh.error.text, ("zone keys: " + path).c_str()), nullptr)
            << fresh.error.text;
        make_file(path);
        EXPECT_EQ(fresh.apply({declared}), SLM_E_REPLACED);
        EXPECT_NE(strstr(fresh.error.text, ("zone keys: " + path).c_str()), nullptr)
            << fresh.error.text;
        EXPECT_EQ(numbers_alone(fresh["keys"]), (Numbers{1001}));
        declared.no_reuse = true;
        EXPECT_EQ(fresh.apply({declared}), SLM_E_EXISTS);
        ASSERT_EQ(unlink(path.c_str()), 0);
        EXPECT_EQ(fresh.apply({declared}), SLM_OK) << fresh.error.text;
        declared.no_reuse = false;
        EXPECT_EQ(fresh.apply({declared}), SLM_OK) << fresh.error.text;
        EXPECT_EQ(inits.reused.back(), true);
    }
}

/* A daemon goes to another folder after it has started. */
TEST_F(ZoneSet, WithARelativePathIsReusedFromAnotherFolder)
{
    std::string folder = all.folder() / ".";
    for (slm_lock_kind lock : {SLM_LOCK_ROBUST, SLM_LOCK_FILE}) {
        slm_zone_options relative = all.of(SLM_SEGMENT_FILE, lock);
        relative.segment.name = lock == SLM_LOCK_FILE ? "another" : "one";
        relative.lock_path = "relative.lock";
        EXPECT_EQ(in_child([&] {
                      bool is_there = chdir(folder.c_str()) == 0;
                      bool is_made = set.apply({inits.declare(relative)}) == SLM_OK;
                      bool is_moved = chdir("/") == 0;
                      bool is_reused = set.apply({inits.declare(relative)}) == SLM_OK;
                      return is_there && is_made && is_moved && is_reused ? 0 : 1;
                  }),
                  0);
    }
}

TEST_F(ZoneSet, WithAnotherSegmentNameIsAnotherZone)
{
    ZoneOptions other;
    slm_zone_options moved = all.of(SLM_SEGMENT_FILE);
    ASSERT_EQ(set.apply({inits.declare(moved)}), SLM_OK) << set.error.text;
    moved.segment.name = other.of(SLM_SEGMENT_FILE).segment.name;
    ASSERT_EQ(set.apply({inits.declare(moved)}), SLM_OK) << set.error.text;
    EXPECT_EQ(inits.reused, (std::vector<bool>{false, false}));
}

TEST_F(ZoneSet, NoLongerDeclaredIsDetachedAndKeptByItsOtherUsers)
{
    ASSERT_EQ(set.apply({inits.declare(options("one")), inits.declare(options("two"))}), SLM_OK);
    Zone kept;
    ASSERT_EQ(kept.attach(all.to_attach(set["one"])), SLM_OK) << kept.error.text;
    Holdings before;
    ASSERT_EQ(set.apply({inits.declare(options("two"))}), SLM_OK);
    EXPECT_EQ(set["one"], nullptr);
    EXPECT_EQ(set.size(), 1u);
    EXPECT_EQ(numbers_alone(kept), (Numbers{1001}));
    EXPECT_LT(Holdings().n_mappings, before.n_mappings);
    ASSERT_EQ(set.apply({}), SLM_OK);
    EXPECT_EQ(set.size(), 0u);
}

TEST_F(ZoneSet, NamesTheZoneThatItCouldNotLock)
{
    ASSERT_EQ(set.apply({inits.declare(options("one"))}), SLM_OK);
    ASSERT_EQ(slm_zone_lock(set["one"]), SLM_OK);
    EXPECT_EQ(set.apply({inits.declare(options("one"))}), SLM_E_HELD);
    EXPECT_NE(strstr(set.error.text, "one"), nullptr);
    EXPECT_TRUE(slm_lock_is_mine(slm_zone_lock_handle(set["one"])));
    EXPECT_EQ(slm_zone_unlock(set["one"]), SLM_OK);
    EXPECT_EQ(numbers_alone(set["one"]), (Numbers{1001}));
}

TEST_F(ZoneSet, AdoptsAZoneOnceAndReusesIt)
{
    Zone zone, twin;
    ASSERT_EQ(zone.create(options("one")), SLM_OK);
    ASSERT_EQ(twin.create(options("one")), SLM_OK);
    ASSERT_EQ(push_alone(zone, 5), SLM_OK);
    ASSERT_EQ(slm_zone_grow(zone, 2 * kZoneBytes, nullptr), SLM_OK);
    EXPECT_EQ(slm_zone_set_adopt(set, zone), SLM_OK);
    EXPECT_EQ(slm_zone_set_adopt(set, twin), SLM_E_DUPLICATE);
    EXPECT_EQ(slm_zone_set_adopt(set, zone), SLM_E_DUPLICATE);
    ASSERT_EQ(set.apply({inits.declare(options("one"))}), SLM_OK);
    EXPECT_EQ(set["one"], zone.zone);
    EXPECT_EQ(numbers_alone(zone), (Numbers{1001, 5}));
    zone.zone = nullptr;
}

/* --- Reloads that fail --- */

/* --- Callbacks that do what they may not --- */

struct Again {
    slm_zone_set *set;
    slm_status status;
};

TEST(ZoneSetCallback, CannotApplyItsOwnSet)
{
    auto init = [](slm_zone *, bool, void *data) {
        auto *again = static_cast<Again *>(data);
        again->status = slm_zone_set_apply(again->set, nullptr, 0, nullptr);
        return SLM_OK;
    };
    ZoneOptions all;
    Set set;
    for (bool is_reused : {false, true}) {
        Again again = {set, SLM_OK};
        EXPECT_EQ(set.apply({{all.of(SLM_SEGMENT_FILE), init, &again, false}}), SLM_OK);
        EXPECT_EQ(again.status, SLM_E_STATE) << is_reused;
        EXPECT_EQ(push_alone(set["keys"], 1), SLM_OK);
    }
    EXPECT_EQ(set.apply({}), SLM_OK) << set.error.text;
    EXPECT_EQ(set.size(), 0u);
}

/* Of its own zone, or of another one of the set. */
TEST(ZoneSetCallback, ThatUnlocksFailsTheApplyAndCutsNothing)
{
    slm_status (*init)(slm_zone *, bool, void *) = [](slm_zone *zone, bool is_reused, void *data) {
        auto *other = static_cast<slm_zone *>(data);
        return is_reused ? slm_zone_unlock(other == nullptr ? zone : other) : SLM_OK;
    };
    for (bool is_own : {false, true}) {
        ZoneOptions all, more;
        Set set;
        slm_zone_options keys = all.of(SLM_SEGMENT_FILE);
        slm_zone_options a = more.of(SLM_SEGMENT_FILE);
        a.name = "a";
        ASSERT_EQ(set.apply({{a, init, nullptr, false}, {keys, init, nullptr, false}}), SLM_OK);
        a.bytes = 2 * kZoneBytes;
        EXPECT_EQ(set.apply({{a, is_own ? init : nullptr, nullptr, false},
                             {keys, is_own ? nullptr : init, set["a"], false}}),
                  SLM_E_OWNER);
        EXPECT_STREQ(set.error.text, "zone a: its init failed: the caller does not hold the lock, "
                                     "or its holder is alive");
        EXPECT_EQ(push_alone(set["a"], 1), SLM_OK);
        EXPECT_EQ(push_alone(set["keys"], 1), SLM_OK);
        EXPECT_EQ(check_alone(set["a"]), 0u);
        EXPECT_EQ(set.apply({{a, nullptr, nullptr, false}, {keys, nullptr, nullptr, false}}),
                  SLM_OK)
            << set.error.text;
        EXPECT_EQ(zone_bytes(set["a"]), 2 * kZoneBytes);
    }
}

} // namespace
