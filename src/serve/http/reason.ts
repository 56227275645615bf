import { z } from 'zod';

export const reasonSchema = z
  .strictObject({
    code: z.string().meta({ description: 'For programs: stable, snake_case.' }),
    message: z.string(),
    expected: z.string().optional(),
    received: z.unknown().optional(),
    hint: z.string().optional().meta({ description: 'The remedy.' }),
  })
  .meta({ id: 'Reason', description: 'Why a request, or one image of it, was refused.' });

/** Why a request was refused: the body of every answer outside 2xx, as `{"error": …}`. */
export type Reason = z.infer<typeof reasonSchema>;
