/* A shared object that is no PKCS#11 module. */
int nothing(void);

int nothing(void)
{
	return 0;
}
