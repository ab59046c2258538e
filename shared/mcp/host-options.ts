import type { JSONRPCRequest, Result } from '@modelcontextprotocol/sdk/types.js'
import type { Instance } from '../instance.js'
import type { Call, CallerClues } from './conversation.js'

export interface HostOptions<Caller> {
  /** The server's name in the journal, and where faults and overlays are set. */
  name: string
  instance: Pick<
    Instance,
    'clock' | 'machine' | 'journal' | 'faults' | 'catalogue' | 'knownTools' | 'crashed' | 'log'
  >
  /**
   * Who is calling.
   *
   * @throws Refusal if what the caller says of itself cannot be right
   */
  identify(clues: CallerClues): Caller
  /** The caller as the journal names it. */
  nameOf(caller: Caller): string
  /** A conversation is over: what is kept for it may go. */
  forget?(session: string): void
  onError(error: Error): void
}

/**
 * Runs the requests of one method.
 *
 * @throws McpError for a protocol error of that code
 */
export type RequestHandler<Caller> = (call: Call<Caller>, params: JSONRPCRequest['params']) => Promise<Result>
