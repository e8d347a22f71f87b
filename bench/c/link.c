/* A program that does nothing. It is built without any library, and linked with libp11-kit. */
int main(void)
{
	return 0;
}
