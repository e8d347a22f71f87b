/*
 * The members of a function list in order (PKCS#11 3.2 §6), with the number of
 * arguments of each: MEMBER(n, name, args, since).  Member n sits at n * 8
 * octets from the start of the list.  "since" is 240, 300 or 320.
 */
#ifndef P11MUX_TEST_MEMBERS_H
#define P11MUX_TEST_MEMBERS_H

#define MEMBERS(MEMBER) \
	MEMBER(1, C_Initialize, 1, 240) \
	MEMBER(2, C_Finalize, 1, 240) \
	MEMBER(3, C_GetInfo, 1, 240) \
	MEMBER(4, C_GetFunctionList, 1, 240) \
	MEMBER(5, C_GetSlotList, 3, 240) \
	MEMBER(6, C_GetSlotInfo, 2, 240) \
	MEMBER(7, C_GetTokenInfo, 2, 240) \
	MEMBER(8, C_GetMechanismList, 3, 240) \
	MEMBER(9, C_GetMechanismInfo, 3, 240) \
	MEMBER(10, C_InitToken, 4, 240) \
	MEMBER(11, C_InitPIN, 3, 240) \
	MEMBER(12, C_SetPIN, 5, 240) \
	MEMBER(13, C_OpenSession, 5, 240) \
	MEMBER(14, C_CloseSession, 1, 240) \
	MEMBER(15, C_CloseAllSessions, 1, 240) \
	MEMBER(16, C_GetSessionInfo, 2, 240) \
	MEMBER(17, C_GetOperationState, 3, 240) \
	MEMBER(18, C_SetOperationState, 5, 240) \
	MEMBER(19, C_Login, 4, 240) \
	MEMBER(20, C_Logout, 1, 240) \
	MEMBER(21, C_CreateObject, 4, 240) \
	MEMBER(22, C_CopyObject, 5, 240) \
	MEMBER(23, C_DestroyObject, 2, 240) \
	MEMBER(24, C_GetObjectSize, 3, 240) \
	MEMBER(25, C_GetAttributeValue, 4, 240) \
	MEMBER(26, C_SetAttributeValue, 4, 240) \
	MEMBER(27, C_FindObjectsInit, 3, 240) \
	MEMBER(28, C_FindObjects, 4, 240) \
	MEMBER(29, C_FindObjectsFinal, 1, 240) \
	MEMBER(30, C_EncryptInit, 3, 240) \
	MEMBER(31, C_Encrypt, 5, 240) \
	MEMBER(32, C_EncryptUpdate, 5, 240) \
	MEMBER(33, C_EncryptFinal, 3, 240) \
	MEMBER(34, C_DecryptInit, 3, 240) \
	MEMBER(35, C_Decrypt, 5, 240) \
	MEMBER(36, C_DecryptUpdate, 5, 240) \
	MEMBER(37, C_DecryptFinal, 3, 240) \
	MEMBER(38, C_DigestInit, 2, 240) \
	MEMBER(39, C_Digest, 5, 240) \
	MEMBER(40, C_DigestUpdate, 3, 240) \
	MEMBER(41, C_DigestKey, 2, 240) \
	MEMBER(42, C_DigestFinal, 3, 240) \
	MEMBER(43, C_SignInit, 3, 240) \
	MEMBER(44, C_Sign, 5, 240) \
	MEMBER(45, C_SignUpdate, 3, 240) \
	MEMBER(46, C_SignFinal, 3, 240) \
	MEMBER(47, C_SignRecoverInit, 3, 240) \
	MEMBER(48, C_SignRecover, 5, 240) \
	MEMBER(49, C_VerifyInit, 3, 240) \
	MEMBER(50, C_Verify, 5, 240) \
	MEMBER(51, C_VerifyUpdate, 3, 240) \
	MEMBER(52, C_VerifyFinal, 3, 240) \
	MEMBER(53, C_VerifyRecoverInit, 3, 240) \
	MEMBER(54, C_VerifyRecover, 5, 240) \
	MEMBER(55, C_DigestEncryptUpdate, 5, 240) \
	MEMBER(56, C_DecryptDigestUpdate, 5, 240) \
	MEMBER(57, C_SignEncryptUpdate, 5, 240) \
	MEMBER(58, C_DecryptVerifyUpdate, 5, 240) \
	MEMBER(59, C_GenerateKey, 5, 240) \
	MEMBER(60, C_GenerateKeyPair, 8, 240) \
	MEMBER(61, C_WrapKey, 6, 240) \
	MEMBER(62, C_UnwrapKey, 8, 240) \
	MEMBER(63, C_DeriveKey, 6, 240) \
	MEMBER(64, C_SeedRandom, 3, 240) \
	MEMBER(65, C_GenerateRandom, 3, 240) \
	MEMBER(66, C_GetFunctionStatus, 1, 240) \
	MEMBER(67, C_CancelFunction, 1, 240) \
	MEMBER(68, C_WaitForSlotEvent, 3, 240) \
	MEMBER(69, C_GetInterfaceList, 2, 300) \
	MEMBER(70, C_GetInterface, 4, 300) \
	MEMBER(71, C_LoginUser, 6, 300) \
	MEMBER(72, C_SessionCancel, 2, 300) \
	MEMBER(73, C_MessageEncryptInit, 3, 300) \
	MEMBER(74, C_EncryptMessage, 9, 300) \
	MEMBER(75, C_EncryptMessageBegin, 5, 300) \
	MEMBER(76, C_EncryptMessageNext, 8, 300) \
	MEMBER(77, C_MessageEncryptFinal, 1, 300) \
	MEMBER(78, C_MessageDecryptInit, 3, 300) \
	MEMBER(79, C_DecryptMessage, 9, 300) \
	MEMBER(80, C_DecryptMessageBegin, 5, 300) \
	MEMBER(81, C_DecryptMessageNext, 8, 300) \
	MEMBER(82, C_MessageDecryptFinal, 1, 300) \
	MEMBER(83, C_MessageSignInit, 3, 300) \
	MEMBER(84, C_SignMessage, 7, 300) \
	MEMBER(85, C_SignMessageBegin, 3, 300) \
	MEMBER(86, C_SignMessageNext, 7, 300) \
	MEMBER(87, C_MessageSignFinal, 1, 300) \
	MEMBER(88, C_MessageVerifyInit, 3, 300) \
	MEMBER(89, C_VerifyMessage, 7, 300) \
	MEMBER(90, C_VerifyMessageBegin, 3, 300) \
	MEMBER(91, C_VerifyMessageNext, 7, 300) \
	MEMBER(92, C_MessageVerifyFinal, 1, 300) \
	MEMBER(93, C_EncapsulateKey, 8, 320) \
	MEMBER(94, C_DecapsulateKey, 8, 320) \
	MEMBER(95, C_VerifySignatureInit, 5, 320) \
	MEMBER(96, C_VerifySignature, 3, 320) \
	MEMBER(97, C_VerifySignatureUpdate, 3, 320) \
	MEMBER(98, C_VerifySignatureFinal, 1, 320) \
	MEMBER(99, C_GetSessionValidationFlags, 3, 320) \
	MEMBER(100, C_AsyncComplete, 3, 320) \
	MEMBER(101, C_AsyncGetID, 3, 320) \
	MEMBER(102, C_AsyncJoin, 5, 320) \
	MEMBER(103, C_WrapKeyAuthenticated, 8, 320) \
	MEMBER(104, C_UnwrapKeyAuthenticated, 10, 320)

enum {
#define MEMBER(n, name, args, since) M_##name = n,
	MEMBERS(MEMBER)
#undef MEMBER
	M_LAST_240 = 68,
	M_LAST_300 = 92,
	M_LAST_320 = 104,
};

#endif
