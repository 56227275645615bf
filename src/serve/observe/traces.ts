import { setTimeout } from 'node:timers/promises';
import {
  type Attributes,
  context,
  DiagLogLevel,
  diag,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  trace,
} from '@opentelemetry/api';
import type { Context } from 'hono';
import { messageOf } from '../../base/errors.js';
import type { Logger } from './log.js';
import type { Timed } from './stages.js';

/** Milliseconds that the last spans are given to leave when the service stops. */
const FLUSH_MS = 2000;

/** Characters of OpenTelemetry's complaints in the log. */
const MAX_REASON = 300;

/** How a request ended. */
export interface RequestEnd {
  route: string;
  status: number;
  /** `name@version` of the model that answered, if one did. */
  model?: string;
  timed: readonly Timed[];
}

/** A request being traced. */
export interface RequestSpan {
  readonly traceId: string;
  end(how: RequestEnd): void;
}

/** OpenTelemetry traces of a service. */
export interface Traces {
  /** Begins the span of a request, below the one that its `traceparent` names. */
  begin(c: Context): RequestSpan;
  /** Sends what is left. */
  close(): Promise<void>;
}

const headers: TextMapGetter<Context> = {
  get: (c, name) => c.req.header(name),
  keys: (c) => Object.keys(c.req.header()),
};

/**
 * Traces to a collector over OTLP/HTTP with JSON, when the configuration or the environment names one; the standard
 * `OTEL_` variables hold for the rest. Only then are OpenTelemetry's packages loaded.
 *
 * @param otlp address of the collector, without `/v1/traces`
 * @param log told when traces cannot be sent
 */
export async function openTraces(otlp: string | null, log: Logger): Promise<Traces | undefined> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_SDK_DISABLED } = process.env;
  if (!(otlp || OTEL_EXPORTER_OTLP_ENDPOINT || OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) || OTEL_SDK_DISABLED === 'true') {
    return undefined;
  }
  const [{ BasicTracerProvider, BatchSpanProcessor }, { OTLPTraceExporter }, { W3CTraceContextPropagator }, resources] =
    await Promise.all([
      import('@opentelemetry/sdk-trace-base'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/core'),
      import('@opentelemetry/resources'),
    ]);
  const { defaultResource, detectResources, envDetector, resourceFromAttributes } = resources;
  const exporter = new OTLPTraceExporter(otlp === null ? {} : { url: `${otlp.replace(/\/$/, '')}/v1/traces` });
  const provider = new BasicTracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes({ 'service.name': 'yolox-node' }))
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  const failed = (message: string) => log.warn({ reason: message.slice(0, MAX_REASON) }, 'traces cannot be sent');
  diag.setLogger(
    { error: failed, warn: failed, info() {}, debug() {}, verbose() {} },
    {
      logLevel: DiagLogLevel.WARN,
      suppressOverrideMessage: true,
    },
  );
  const tracer = provider.getTracer('yolox-node');
  const propagator = new W3CTraceContextPropagator();

  const begin = (c: Context): RequestSpan => {
    const parent = propagator.extract(context.active(), c, headers);
    const attributes: Attributes = { 'http.request.method': c.req.method, 'url.path': c.req.path };
    const span = tracer.startSpan(c.req.method, { kind: SpanKind.SERVER, attributes }, parent);
    return {
      traceId: span.spanContext().traceId,
      end({ route, status, model, timed }) {
        span.updateName(`${c.req.method} ${route}`);
        span.setAttributes({
          'http.route': route,
          'http.response.status_code': status,
          'yolox.request_id': c.var.requestId,
          'yolox.model': model,
        });
        if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
        for (const one of timed) addStages(span, one);
        span.end();
      },
    };
  };

  /** Stages were measured where they happened, maybe in another process: they are laid end to end, up to the answer. */
  function addStages(span: Span, { stages, end }: Timed): void {
    const below = trace.setSpan(context.active(), span);
    const names = Object.keys(stages);
    let from = performance.timeOrigin + end - names.reduce((sum, stage) => sum + stages[stage], 0);
    for (const stage of names) {
      tracer.startSpan(stage, { startTime: from }, below).end(from + stages[stage]);
      from += stages[stage];
    }
  }

  return {
    begin,
    async close() {
      // A collector that is away is asked again and again; the service does not wait for it.
      const late = setTimeout(FLUSH_MS, `no answer in ${FLUSH_MS} ms`, { ref: false });
      const problem = await Promise.race([provider.shutdown().catch(messageOf), late]);
      if (problem) failed(problem);
    },
  };
}
