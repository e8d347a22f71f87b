/* What the caller of an iterator looks at (abi.md 6.3). */
#include "iter.h"

P11_EXPORT P11KitIterKind p11_kit_iter_get_kind(P11KitIter *iter)
{
	p11_return_val_if_fail(iter != NULL, P11_KIT_ITER_KIND_UNKNOWN);
	p11_return_val_if_fail(iter->iterating, P11_KIT_ITER_KIND_UNKNOWN);
	return iter->kind;
}

P11_EXPORT CK_FUNCTION_LIST_PTR p11_kit_iter_get_module(P11KitIter *iter)
{
	p11_return_val_if_fail(iter != NULL, NULL);
	p11_return_val_if_fail(iter->iterating, NULL);
	return iter->module;
}

P11_EXPORT CK_SLOT_ID p11_kit_iter_get_slot(P11KitIter *iter)
{
	p11_return_val_if_fail(iter != NULL, 0);
	p11_return_val_if_fail(iter->iterating, 0);
	return iter->slot;
}

P11_EXPORT CK_SLOT_INFO *p11_kit_iter_get_slot_info(P11KitIter *iter)
{
	p11_return_val_if_fail(iter != NULL, NULL);
	return &iter->slot_info;
}

P11_EXPORT CK_TOKEN_INFO *p11_kit_iter_get_token(P11KitIter *iter)
{
	p11_return_val_if_fail(iter != NULL, NULL);
	return &iter->token_info;
}

P11_EXPORT CK_SESSION_HANDLE p11_kit_iter_get_session(P11KitIter *iter)
{
	p11_return_val_if_fail(iter != NULL, 0);
	p11_return_val_if_fail(iter->iterating, 0);
	return iter->session;
}

P11_EXPORT CK_OBJECT_HANDLE p11_kit_iter_get_object(P11KitIter *iter)
{
	p11_return_val_if_fail(iter != NULL, 0);
	return iter->object;
}

P11_EXPORT CK_SESSION_HANDLE p11_kit_iter_keep_session(P11KitIter *iter)
{
	p11_return_val_if_fail(iter != NULL, 0);
	p11_return_val_if_fail(iter->iterating, 0);
	p11_return_val_if_fail(iter->session != 0, 0);
	iter->kept = true;
	return iter->session;
}

bool p11_iter_at_object(const P11KitIter *iter)
{
	return iter->iterating && iter->module && iter->session && iter->object;
}

P11_EXPORT CK_RV p11_kit_iter_get_attributes(P11KitIter *iter, CK_ATTRIBUTE *templ, CK_ULONG count)
{
	p11_return_val_if_fail(iter != NULL, CKR_GENERAL_ERROR);
	p11_return_val_if_fail(p11_iter_at_object(iter), CKR_GENERAL_ERROR);
	p11_return_val_if_fail(templ != NULL || count == 0, CKR_ARGUMENTS_BAD);
	return P11_CALL(iter->module, C_GetAttributeValue, iter->session, iter->object, templ, count);
}

P11_EXPORT CK_RV p11_kit_iter_destroy_object(P11KitIter *iter)
{
	p11_return_val_if_fail(iter != NULL, CKR_GENERAL_ERROR);
	p11_return_val_if_fail(p11_iter_at_object(iter), CKR_GENERAL_ERROR);
	return P11_CALL(iter->module, C_DestroyObject, iter->session, iter->object);
}
