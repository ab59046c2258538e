import type { ServerName } from '../../shared/util/server-name.js'
import type { GatewayOptions, PolicySource } from '../gateway/gateway-options.js'

/** A gateway in front of a server of the instance: what of its options is not the instance's to say. */
export type GatewayInFront = Pick<
  GatewayOptions,
  | 'policy'
  | 'port'
  | 'grants'
  | 'upstreamHeaders'
  | 'passHeaders'
  | 'handle'
  | 'approvalHoldMs'
  | 'approvalPort'
  | 'auditFile'
>

/** Which servers have one in front; a policy alone is a gateway on a free port that holds every call to it. */
export type GatewaysOptions = Partial<Record<ServerName, PolicySource | GatewayInFront>>
