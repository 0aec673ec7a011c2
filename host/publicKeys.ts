/** Type and key of a public host key, of a hardware key too. */
export const publicKeyPattern =
  /(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com) [A-Za-z0-9+/]+=*/;

/** The keys in a file of public host keys: as a server has it, or as ssh-keyscan and known_hosts write it. */
export function publicKeysIn(text: string): string[] {
  const line = new RegExp(`^([^@#\\s]\\S* )?(?<key>${publicKeyPattern.source})(\\s.*)?$`, "gm");
  return [...text.matchAll(line)].flatMap(({ groups }) => groups?.key ?? []);
}
