/* Slots, tokens, mechanisms, and waiting for what happens to slots. */
#include "codes.h"

#include <pthread.h>

#define ROOM 64

static bool listed(const CK_SLOT_ID *ids, CK_ULONG n)
{
	while (n--)
		if (ids[n] == slot)
			return true;
	return false;
}

/* Asks for the list with room for some slots. */
static void list_with(const char *step, CK_BBOOL present, CK_ULONG room)
{
	CK_SLOT_ID ids[ROOM];
	CK_ULONG n = room;
	CK_RV rv = mod->C_GetSlotList(present, ids, &n);

	report(step, rv, "count=%lu listed=%d", n - extra_slots, rv == CKR_OK && listed(ids, n));
}

static void lists(void)
{
	CK_BBOOL present[] = { CK_FALSE, CK_TRUE, 2 };
	CK_SLOT_ID ids[ROOM];
	char step[32];
	size_t i;

	for (i = 0; i < sizeof present; i++) {
		CK_ULONG n = 0xaaaa;
		CK_RV rv = mod->C_GetSlotList(present[i], NULL, &n);

#define STEP(name) (snprintf(step, sizeof step, "%s-%d", name, present[i]), step)
		report(STEP("query"), rv, "count=%lu", n - extra_slots);
		list_with(STEP("exact"), present[i], n);
		list_with(STEP("more"), present[i], ROOM);
		list_with(STEP("less"), present[i], n - 1);
		list_with(STEP("none"), present[i], 0);
		report_rv(STEP("null-count"), mod->C_GetSlotList(present[i], ids, NULL));
		report_rv(STEP("null-all"), mod->C_GetSlotList(present[i], NULL, NULL));
#undef STEP
	}
}

/* A count that no memory can have: there is room enough for what comes. */
static void huge_count(void)
{
	CK_SLOT_ID ids[ROOM];
	CK_ULONG n = HUGE_COUNT, m = HUGE_COUNT;
	CK_RV rv = mod->C_GetSlotList(CK_TRUE, ids, &n);

	report("list", rv, "count=%lu listed=%d", rv == CKR_OK ? n - extra_slots : 0, rv == CKR_OK && listed(ids, n));
	rv = mod->C_GetSlotList(CK_TRUE, NULL, &m);
	report("query", rv, "count=%lu", m - extra_slots);
}

static void stable(void)
{
	CK_SLOT_ID first[ROOM], ids[ROOM];
	CK_ULONG n = ROOM, m;
	int i, same = 0;

	need(mod->C_GetSlotList(CK_FALSE, first, &n));
	for (i = 0; i < 20; i++) {
		m = ROOM;
		need(mod->C_GetSlotList(CK_FALSE, ids, &m));
		same += m == n && memcmp(ids, first, n * sizeof *ids) == 0;
	}
	report("list", CKR_OK, "same=%d", same);
}

static void slot_info(void)
{
	CK_SLOT_INFO info;
	CK_RV rv;

	memset(&info, 0xaa, sizeof info);
	rv = mod->C_GetSlotInfo(slot, &info);
	report("flags", rv, "%lu", info.flags);
	report("manufacturer", rv, "%.32s", info.manufacturerID);
	/* SoftHSM writes a slot's number into its description, which is its own and not the proxy's. */
	report("description", rv, "sum=%08x", checksum(info.slotDescription, 64));
	report("versions", rv, "%d.%d %d.%d", info.hardwareVersion.major, info.hardwareVersion.minor,
	       info.firmwareVersion.major, info.firmwareVersion.minor);
}

static void token_info(void)
{
	CK_TOKEN_INFO info;
	CK_RV rv;

	memset(&info, 0xaa, sizeof info);
	rv = mod->C_GetTokenInfo(slot, &info);
	report("label", rv, "%.32s", info.label);
	report("manufacturer", rv, "%.32s", info.manufacturerID);
	report("model", rv, "%.16s", info.model);
	report("serial", rv, "sum=%08x", checksum(info.serialNumber, 16));
	report("flags", rv, "%#lx", info.flags);
	report("sessions", rv, "%ld of %ld, %ld of %ld", info.ulSessionCount, info.ulMaxSessionCount,
	       info.ulRwSessionCount, info.ulMaxRwSessionCount);
	report("pin", rv, "%ld to %ld", info.ulMinPinLen, info.ulMaxPinLen);
	report("memory", rv, "%ld %ld %ld %ld", info.ulTotalPublicMemory, info.ulFreePublicMemory,
	       info.ulTotalPrivateMemory, info.ulFreePrivateMemory);
}

/* The other slots of the module answer too, whatever is in them. */
static void other_slots(void)
{
	CK_SLOT_ID ids[ROOM];
	CK_ULONG n = ROOM, i, infos = 0, tokens = 0;

	need(mod->C_GetSlotList(CK_FALSE, ids, &n));
	for (i = 0; i < n; i++) {
		CK_SLOT_INFO info;
		CK_TOKEN_INFO token;

		infos += mod->C_GetSlotInfo(ids[i], &info) == CKR_OK;
		tokens += mod->C_GetTokenInfo(ids[i], &token) == CKR_OK;
	}
	report("all", CKR_OK, "slots=%lu tokens=%lu", infos - extra_slots, tokens - extra_slots);
}

static void mechanisms(void)
{
	CK_MECHANISM_TYPE types[512];
	CK_MECHANISM_INFO info;
	CK_ULONG n = 0, i, sum = 0;
	CK_RV rv = mod->C_GetMechanismList(slot, NULL, &n);

	report("query", rv, "count=%lu", n);
	rv = mod->C_GetMechanismList(slot, types, &n);
	report("exact", rv, "count=%lu sum=%08x", n, checksum(types, n * sizeof *types));
	i = n - 1;
	rv = mod->C_GetMechanismList(slot, types, &i);
	report("less", rv, "count=%lu", i);
	i = HUGE_COUNT;
	report_rv("huge", mod->C_GetMechanismList(slot, types, &i));
	for (i = 0; i < n; i++) {
		memset(&info, 0, sizeof info);
		rv = mod->C_GetMechanismInfo(slot, types[i], &info);
		sum = sum * 31 + rv + checksum(&info, sizeof info);
	}
	report("info", CKR_OK, "sum=%08lx", sum);
}

static void no_events(void)
{
	CK_SLOT_ID id = 0xaaaa;

	report("poll", mod->C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, NULL), "untouched=%d", id == 0xaaaa);
	report_rv("reserved", mod->C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, octets));
	report_rv("unknown-flags", mod->C_WaitForSlotEvent(CKF_DONT_BLOCK | 0x80, &id, NULL));
	report_rv("null-slot", mod->C_WaitForSlotEvent(CKF_DONT_BLOCK, NULL, NULL));
}

static void *waits(void *arg)
{
	CK_SLOT_ID id = 0;

	*(int *)arg = gettid();
	return (void *)mod->C_WaitForSlotEvent(0, &id, NULL);
}

/* C_Finalize ends a wait, where the module lets one wait at all. */
static void wait_and_finalize(void)
{
	_Atomic int tid = 0;
	pthread_t t;
	void *rv;

	must(pthread_create(&t, NULL, waits, (void *)&tid) == 0);
	while (tid == 0)
		sleep_ms(1);
	wait_asleep(tid);
	report_rv("finalize", mod->C_Finalize(NULL));
	must(pthread_join(t, &rv) == 0);
	report_rv("wait", (CK_RV)rv);
}

/* A wait that is still short when C_Finalize comes, or has not begun: it ends as well. */
static void wait_and_finalize_often(void)
{
	CK_ULONG ended = 0;
	void *rv = NULL;
	int i;

	for (i = 0; i < 20; i++) {
		_Atomic int tid = 0;
		pthread_t t;

		must(pthread_create(&t, NULL, waits, (void *)&tid) == 0);
		while (tid == 0)
			;
		need(mod->C_Finalize(NULL));
		must(pthread_join(t, &rv) == 0);
		ended++;
		need(mod->C_Initialize(NULL));
	}
	report("wait", (CK_RV)rv, "ended=%lu", ended);
}

static const struct code_case cases[] = {
	{ "lists", lists, MODULE },
	{ "huge-count", huge_count, MODULE },
	{ "stable", stable, MODULE },
	{ "slot-info", slot_info, MODULE },
	{ "token-info", token_info, MODULE },
	{ "token-info-login", token_info, USER },
	{ "other-slots", other_slots, MODULE },
	{ "mechanisms", mechanisms, MODULE },
	{ "no-events", no_events, MODULE },
	{ "wait", wait_and_finalize, MODULE },
	{ "wait-often", wait_and_finalize_often, MODULE },
};

const struct code_group slots_group = TABLE("slots", cases);
