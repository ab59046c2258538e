import { Refusal } from '../../../shared/errors.js'

/** A refusal of the service: the status and body its HTTP API answers with, which its tools quote. */
export class ServiceRefusal extends Refusal {
  override readonly name = 'ServiceRefusal'

  /**
   * @param status HTTP
   * @param body as the HTTP API sends it
   * @param hint what to do, for a reader of the tool's text
   */
  constructor(
    readonly status: number,
    readonly body: { error: string; cursor?: number },
    hint: string,
  ) {
    super(body.error.replaceAll(' ', '_'), body.error, hint)
  }
}

export function badRoomId(id: string): ServiceRefusal {
  return new ServiceRefusal(
    400,
    { error: 'bad roomId' },
    `${JSON.stringify(id)} is not 4 to 64 of A-Z a-z 0-9 _ -`,
  )
}

export function badMessage(why: string): ServiceRefusal {
  return new ServiceRefusal(400, { error: 'bad message' }, why)
}

export function staleClaim(cursor: number): ServiceRefusal {
  const hint =
    'the lease ran out, or another claim took its place: claim again and acknowledge what that returns'
  return new ServiceRefusal(409, { error: 'stale or unknown claim', cursor }, hint)
}

/** A parked call is answered with this when the server stops. */
export function shuttingDown(): Refusal {
  return new Refusal(
    'shutting_down',
    'the server is shutting down',
    'nothing was claimed; call again once it is back',
  )
}
