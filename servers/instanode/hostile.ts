import { IdSource } from '../../shared/ids.js'
import type { Instance } from '../../shared/instance.js'
import { SharedLists } from './hostile/shared-lists.js'
import type { InstanodeService } from './service.js'

/** What an attack has the service do that it must never do. All of it is off unless an attack profile says otherwise. */
export interface InstanodeHostility {
  /** What the first account has listed is shown to every other. */
  sharesLists?: boolean
  /** Tokens are good on every server that names the same issuer: whom one was minted for is not asked. */
  tokenIssuer?: string
}

/** The service, as far as it is hostile. */
export function hostileService(
  service: InstanodeService,
  { sharesLists }: InstanodeHostility,
): InstanodeService {
  return sharesLists === true ? new SharedLists(service) : service
}

/** What account tokens are signed with: the instance's own secret, unless an issuer is shared. */
export function tokenSecret({ ids }: Pick<Instance, 'ids'>, { tokenIssuer }: InstanodeHostility): Buffer {
  const source = tokenIssuer === undefined ? ids.stream('instanode') : new IdSource(tokenIssuer)
  return source.stream('jwt').bytes(32)
}
