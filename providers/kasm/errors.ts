import { printable } from "../../host/printable";

/** How a call of KASM's API failed; decides what is tried again and what the next `up` has to find out. */
export type KasmFailure =
  /** Nothing was sent: no route, connection refused, name unknown. */
  | "unreachable"
  /** Nothing was sent: the server's certificate is not the expected one. */
  | "certificate"
  /** Sent, and the connection ended before the answer: it may have been carried out. */
  | "lost"
  /** Sent, and the time ran out before the answer: it may still be carried out. */
  | "late"
  /** An error page of KASM's proxy: an exception in the server, which may have come after the work was done. */
  | "crashed"
  /** An answer that no KASM gives. */
  | "notKasm"
  /** The key or its permissions do not suffice; nothing was done. */
  | "denied"
  /** KASM says why it does not do it. */
  | "refused";

/** A failed call in one message for a person: what was asked, what came, what to check. Free of secrets, printed without a stack. */
export class KasmError extends Error {
  constructor(
    readonly failure: KasmFailure,
    message: string,
    /** HTTP status, where there was an answer. */
    readonly status?: number,
  ) {
    super(printable(message));
    quieten(this);
  }
}

/** A state of things in KASM that this program can't bring to what is declared, in words for a person. */
export class WorkspaceError extends Error {
  constructor(message: string) {
    super(printable(message));
    quieten(this);
  }
}

/** The engine prints name and stack of what a dynamic provider throws; neither helps the person who reads it. */
function quieten(error: Error): void {
  error.name = "";
  error.stack = "";
}
