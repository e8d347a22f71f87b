/* What has to come before each function, and its arguments; see codes_recipes.h. */
#include "codes_recipes.h"

static void sign_init(void) { mod->C_SignInit(session, &hmac_mech, make_hmac(session)); }
static void verify_init(void) { mod->C_VerifyInit(session, &hmac_mech, make_hmac(session)); }
static void encrypt_init(void) { mod->C_EncryptInit(session, &cbc_mech, make_aes(session)); }
static void decrypt_init(void) { mod->C_DecryptInit(session, &cbc_mech, make_aes(session)); }
static void digest_init(void) { mod->C_DigestInit(session, &sha_mech); }
static void digest_encrypt(void) { digest_init(); encrypt_init(); }
static void decrypt_digest(void) { digest_init(); decrypt_init(); }
static void sign_encrypt(void) { sign_init(); encrypt_init(); }
static void decrypt_verify(void) { verify_init(); decrypt_init(); }
static void find_init(void) { make_data(session, "found", no, no); mod->C_FindObjectsInit(session, NULL, 0); }
static void logged_out(void) { mod->C_Logout(session); }
static void message_encrypt(void) { mod->C_MessageEncryptInit(session, &cbc_mech, make_aes(session)); }
static void message_decrypt(void) { mod->C_MessageDecryptInit(session, &cbc_mech, make_aes(session)); }
static void message_sign(void) { mod->C_MessageSignInit(session, &hmac_mech, make_hmac(session)); }
static void message_verify(void) { mod->C_MessageVerifyInit(session, &hmac_mech, make_hmac(session)); }
static void verify_signature(void) { mod->C_VerifySignatureInit(session, &hmac_mech, make_hmac(session), octets, 32); }

static CK_OBJECT_HANDLE make_public(CK_SESSION_HANDLE s)
{
	CK_OBJECT_HANDLE private, public;

	make_pair(s, &public, &private);
	return public;
}

static CK_OBJECT_HANDLE make_private(CK_SESSION_HANDLE s)
{
	CK_OBJECT_HANDLE private, public;

	make_pair(s, &public, &private);
	return private;
}

const struct recipe recipes[] = {
	{ M_C_GetInfo, "x", NULL, NULL, NULL, 0, true },
	{ M_C_GetFunctionList, "x", NULL, NULL, NULL, 0, true },
	{ M_C_GetSlotInfo, "ix", NULL, NULL, NULL, 0, false },
	{ M_C_GetTokenInfo, "ix", NULL, NULL, NULL, 0, false },
	{ M_C_GetMechanismList, "iol", NULL, NULL, NULL, 0, false },
	{ M_C_GetMechanismInfo, "iex", NULL, NULL, NULL, 0, false },
	{ M_C_InitPIN, "spq", NULL, NULL, NULL, 0, false },
	{ M_C_SetPIN, "spqpq", NULL, NULL, NULL, 0, false },
	{ M_C_OpenSession, "ifzzH", NULL, NULL, NULL, CKF_SERIAL_SESSION, false },
	{ M_C_CloseSession, "s", NULL, NULL, NULL, 0, false },
	{ M_C_CloseAllSessions, "i", NULL, NULL, NULL, 0, false },
	{ M_C_GetSessionInfo, "sx", NULL, NULL, NULL, 0, false },
	{ M_C_GetOperationState, "sol", digest_init, NULL, NULL, 0, true },
	{ M_C_SetOperationState, "sdnKK", NULL, NULL, NULL, 0, false },
	{ M_C_Login, "supq", logged_out, NULL, NULL, CKU_USER, false },
	{ M_C_Logout, "s", NULL, NULL, NULL, 0, false },
	{ M_C_CreateObject, "stcH", NULL, NULL, NULL, 0, false },
	{ M_C_CopyObject, "shTCH", NULL, NULL, NULL, 0, false },
	{ M_C_DestroyObject, "sh", NULL, NULL, NULL, 0, false },
	{ M_C_GetObjectSize, "shx", NULL, NULL, NULL, 0, false },
	{ M_C_GetAttributeValue, "shTC", NULL, NULL, NULL, 0, false },
	{ M_C_SetAttributeValue, "shTC", NULL, NULL, NULL, 0, false },
	{ M_C_FindObjectsInit, "stc", NULL, NULL, NULL, 0, false },
	{ M_C_FindObjects, "sABL", find_init, NULL, NULL, 0, false },
	{ M_C_FindObjectsFinal, "s", find_init, NULL, NULL, 0, false },
	{ M_C_EncryptInit, "smk", NULL, &cbc_mech, make_aes, 0, false },
	{ M_C_Encrypt, "sdnol", encrypt_init, NULL, NULL, 0, false },
	{ M_C_EncryptUpdate, "sdnol", encrypt_init, NULL, NULL, 0, false },
	{ M_C_EncryptFinal, "sol", encrypt_init, NULL, NULL, 0, false },
	{ M_C_DecryptInit, "smk", NULL, &cbc_mech, make_aes, 0, false },
	{ M_C_Decrypt, "sdnol", decrypt_init, NULL, NULL, 0, false },
	{ M_C_DecryptUpdate, "sdnol", decrypt_init, NULL, NULL, 0, false },
	{ M_C_DecryptFinal, "sol", decrypt_init, NULL, NULL, 0, false },
	{ M_C_DigestInit, "sm", NULL, &sha_mech, NULL, 0, false },
	{ M_C_Digest, "sdnol", digest_init, NULL, NULL, 0, false },
	{ M_C_DigestUpdate, "sdn", digest_init, NULL, NULL, 0, false },
	{ M_C_DigestKey, "sk", digest_init, NULL, make_hmac, 0, false },
	{ M_C_DigestFinal, "sol", digest_init, NULL, NULL, 0, false },
	{ M_C_SignInit, "smk", NULL, &hmac_mech, make_hmac, 0, false },
	{ M_C_Sign, "sdnol", sign_init, NULL, NULL, 0, false },
	{ M_C_SignUpdate, "sdn", sign_init, NULL, NULL, 0, false },
	{ M_C_SignFinal, "sol", sign_init, NULL, NULL, 0, false },
	{ M_C_SignRecoverInit, "smk", NULL, &ecdsa_mech, make_private, 0, false },
	{ M_C_SignRecover, "sdnol", NULL, NULL, NULL, 0, false },
	{ M_C_VerifyInit, "smk", NULL, &hmac_mech, make_hmac, 0, false },
	{ M_C_Verify, "sdnyw", verify_init, NULL, NULL, 0, false },
	{ M_C_VerifyUpdate, "sdn", verify_init, NULL, NULL, 0, false },
	{ M_C_VerifyFinal, "sdn", verify_init, NULL, NULL, 0, false },
	{ M_C_VerifyRecoverInit, "smk", NULL, &ecdsa_mech, make_public, 0, false },
	{ M_C_VerifyRecover, "sdnol", NULL, NULL, NULL, 0, false },
	{ M_C_DigestEncryptUpdate, "sdnol", digest_encrypt, NULL, NULL, 0, false },
	{ M_C_DecryptDigestUpdate, "sdnol", decrypt_digest, NULL, NULL, 0, false },
	{ M_C_SignEncryptUpdate, "sdnol", sign_encrypt, NULL, NULL, 0, false },
	{ M_C_DecryptVerifyUpdate, "sdnol", decrypt_verify, NULL, NULL, 0, false },
	{ M_C_GenerateKey, "smTCH", NULL, &aes_gen_mech, NULL, 0, false },
	{ M_C_GenerateKeyPair, "smTCTCHJ", NULL, &ec_gen_mech, NULL, 0, false },
	{ M_C_WrapKey, "smkKol", NULL, &wrap_mech, make_aes, 0, false },
	{ M_C_UnwrapKey, "smkdntcH", NULL, &wrap_mech, make_aes, 0, false },
	{ M_C_DeriveKey, "smktcH", NULL, &ecdsa_mech, make_private, 0, false },
	{ M_C_SeedRandom, "sdn", NULL, NULL, NULL, 0, false },
	{ M_C_GenerateRandom, "sov", NULL, NULL, NULL, 0, true },
	{ M_C_GetFunctionStatus, "s", NULL, NULL, NULL, 0, false },
	{ M_C_CancelFunction, "s", NULL, NULL, NULL, 0, false },
	{ M_C_LoginUser, "supqdn", logged_out, NULL, NULL, CKU_USER, false },
	{ M_C_SessionCancel, "sf", encrypt_init, NULL, NULL, CKF_ENCRYPT, false },
	{ M_C_MessageEncryptInit, "smk", NULL, &cbc_mech, make_aes, 0, false },
	{ M_C_EncryptMessage, "sywdndnol", message_encrypt, NULL, NULL, 0, false },
	{ M_C_EncryptMessageBegin, "sywdn", message_encrypt, NULL, NULL, 0, false },
	{ M_C_EncryptMessageNext, "sywdnolf", message_encrypt, NULL, NULL, 0, false },
	{ M_C_MessageEncryptFinal, "s", message_encrypt, NULL, NULL, 0, false },
	{ M_C_MessageDecryptInit, "smk", NULL, &cbc_mech, make_aes, 0, false },
	{ M_C_DecryptMessage, "sywdndnol", message_decrypt, NULL, NULL, 0, false },
	{ M_C_DecryptMessageBegin, "sywdn", message_decrypt, NULL, NULL, 0, false },
	{ M_C_DecryptMessageNext, "sywdnolf", message_decrypt, NULL, NULL, 0, false },
	{ M_C_MessageDecryptFinal, "s", message_decrypt, NULL, NULL, 0, false },
	{ M_C_MessageSignInit, "smk", NULL, &hmac_mech, make_hmac, 0, false },
	{ M_C_SignMessage, "sywdnol", message_sign, NULL, NULL, 0, false },
	{ M_C_SignMessageBegin, "syw", message_sign, NULL, NULL, 0, false },
	{ M_C_SignMessageNext, "sywdnol", message_sign, NULL, NULL, 0, false },
	{ M_C_MessageSignFinal, "s", message_sign, NULL, NULL, 0, false },
	{ M_C_MessageVerifyInit, "smk", NULL, &hmac_mech, make_hmac, 0, false },
	{ M_C_VerifyMessage, "sywdndn", message_verify, NULL, NULL, 0, false },
	{ M_C_VerifyMessageBegin, "syw", message_verify, NULL, NULL, 0, false },
	{ M_C_VerifyMessageNext, "sywdndn", message_verify, NULL, NULL, 0, false },
	{ M_C_MessageVerifyFinal, "s", message_verify, NULL, NULL, 0, false },
	{ M_C_EncapsulateKey, "smktcolH", NULL, &ecdsa_mech, make_public, 0, false },
	{ M_C_DecapsulateKey, "smktcdnH", NULL, &ecdsa_mech, make_private, 0, false },
	{ M_C_VerifySignatureInit, "smkdn", NULL, &hmac_mech, make_hmac, 0, false },
	{ M_C_VerifySignature, "sdn", verify_signature, NULL, NULL, 0, false },
	{ M_C_VerifySignatureUpdate, "sdn", verify_signature, NULL, NULL, 0, false },
	{ M_C_VerifySignatureFinal, "s", verify_signature, NULL, NULL, 0, false },
	{ M_C_GetSessionValidationFlags, "sfx", NULL, NULL, NULL, 1, false },
	{ M_C_AsyncComplete, "sgx", NULL, NULL, NULL, 0, false },
	{ M_C_AsyncGetID, "sgx", NULL, NULL, NULL, 0, false },
	{ M_C_AsyncJoin, "sgfov", NULL, NULL, NULL, 1, false },
	{ M_C_WrapKeyAuthenticated, "smkKdnol", NULL, &wrap_mech, make_aes, 0, false },
	{ M_C_UnwrapKeyAuthenticated, "smkdntcdnH", NULL, &wrap_mech, make_aes, 0, false },
};
const size_t recipe_count = sizeof recipes / sizeof *recipes;

const struct recipe other_recipes[] = {
	{ M_C_GetSlotList, "bol", NULL, NULL, NULL, 0, true },
	{ M_C_InitToken, "ipqa", NULL, NULL, NULL, 0, false },
	{ M_C_WaitForSlotEvent, "fxz", NULL, NULL, NULL, CKF_DONT_BLOCK, true },
};
const size_t other_recipe_count = sizeof other_recipes / sizeof *other_recipes;
