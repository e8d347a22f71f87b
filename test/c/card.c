/*
 * A PKCS#11 module that makes a card of a SoftHSM token: it passes everything on to the module that $CARD_MODULE names,
 * but shows only slots whose token is initialised, and calls them removable hardware. It counts the real C_Initialize and
 * C_Finalize: card_count tells the process, and a line for each goes to the file $CARD_LOG, for programs that nobody can
 * ask.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOTS 16

static CK_FUNCTION_LIST *inner, list;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_long initialized, finalized;

/* How often the module was really initialised or finalised ("initialize", "finalize"). */
__attribute__((visibility("default"))) long card_count(const char *what)
{
	return atomic_load(strcmp(what, "initialize") == 0 ? &initialized : &finalized);
}

static void count(atomic_long *counter, const char *line)
{
	const char *path = getenv("CARD_LOG");
	int fd;

	atomic_fetch_add(counter, 1);
	fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
	if (fd < 0)
		return;
	if (write(fd, line, strlen(line)) < 0)
		perror(path);
	close(fd);
}

static CK_RV initialize(void *args)
{
	CK_RV rv = inner->C_Initialize(args);

	if (rv == CKR_OK)
		count(&initialized, "C_Initialize\n");
	return rv;
}

static CK_RV finalize(void *reserved)
{
	CK_RV rv = inner->C_Finalize(reserved);

	if (rv == CKR_OK)
		count(&finalized, "C_Finalize\n");
	return rv;
}

static CK_RV get_slot_list(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *n)
{
	CK_SLOT_ID all[SLOTS], good[SLOTS];
	CK_ULONG room, m = SLOTS, i, k = 0;
	CK_TOKEN_INFO info;
	CK_RV rv;

	if (n == NULL)
		return CKR_ARGUMENTS_BAD;
	rv = inner->C_GetSlotList(present, all, &m);
	if (rv != CKR_OK)
		return rv;
	for (i = 0; i < m; i++) {
		if (inner->C_GetTokenInfo(all[i], &info) == CKR_OK && (info.flags & CKF_TOKEN_INITIALIZED))
			good[k++] = all[i];
	}
	room = *n;
	*n = k;
	if (slots == NULL)
		return CKR_OK;
	if (room < k)
		return CKR_BUFFER_TOO_SMALL;
	memcpy(slots, good, k * sizeof *slots);
	return CKR_OK;
}

static CK_RV get_slot_info(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
	CK_RV rv = inner->C_GetSlotInfo(slot, info);

	if (rv == CKR_OK)
		info->flags |= CKF_REMOVABLE_DEVICE | CKF_HW_SLOT;
	return rv;
}

static CK_RV get_function_list(CK_FUNCTION_LIST **out);

static void prepare(void)
{
	CK_C_GetFunctionList get;
	const char *path = getenv("CARD_MODULE");
	void *handle = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;

	*(void **)&get = handle ? dlsym(handle, "C_GetFunctionList") : NULL;
	if (get == NULL || get(&inner) != CKR_OK) {
		fprintf(stderr, "card: CARD_MODULE must name a PKCS#11 module: %s\n", path ? path : "(unset)");
		inner = NULL;
		return;
	}
	list = *inner;
	list.C_Initialize = initialize;
	list.C_Finalize = finalize;
	list.C_GetSlotList = get_slot_list;
	list.C_GetSlotInfo = get_slot_info;
	list.C_GetFunctionList = get_function_list;
}

static CK_RV get_function_list(CK_FUNCTION_LIST **out)
{
	pthread_once(&once, prepare);
	if (inner == NULL)
		return CKR_GENERAL_ERROR;
	*out = &list;
	return CKR_OK;
}

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **out)
{
	return get_function_list(out);
}
