/** Name of the stack's host: commands reach it as the program's resources do. */
export const hostName = "host";
