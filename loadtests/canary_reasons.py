"""What is told of a canary that does not pass. Words only; standard library only.

`side` is `live` or `candidate`, in every language.
"""

from collections.abc import Mapping
from types import MappingProxyType

ENGLISH: Mapping[str, str] = MappingProxyType(
    {
        "canary_errors": (
            "canary: {got} % of the requests to the candidate failed ({errors} of {attempts} "
            "tries), over the limit of {limit} %; {live} % of live's did."
        ),
        "canary_p95": (
            "canary: the candidate's 95th percentile is {got} ms, over the limit of {limit} ms; "
            "live's is {live} ms."
        ),
        "canary_p95_model": (
            "canary: model {model}: the candidate's 95th percentile is {got} ms, over the limit of "
            "{limit} ms; live's is {live} ms."
        ),
        "canary_refusals": (
            "canary: the candidate refused {got} % of the predictions (4xx), live {live} %."
        ),
        "canary_shift": (
            "canary: model {model}: the candidate answers {differ} of {compared} requests "
            "otherwise than live, with the same version of the model."
        ),
        "canary_down": "canary: {host} sees no replica of the candidate up.",
        "canary_query_above": "canary: query {name}: {got} is above {limit}.",
        "canary_query_below": "canary: query {name}: {got} is below {limit}.",
        "canary_no_requests": (
            "canary: no prediction came to the candidate (needs {needed}). "
            "Look whether users reach the entries, and at the gate's log beside the verdict."
        ),
        "canary_few": (
            "canary: {got} predictions by the candidate are too few (needs {needed}). "
            "Raise rollout.max_hold_s, or lower rollout.min_samples."
        ),
        "canary_live_few": (
            "canary: {got} predictions by live are too few to compare with (needs {needed}). "
            "Raise rollout.max_hold_s, or lower the step's weight."
        ),
        "canary_no_live": (
            "canary: {host}: what is live there is not known. "
            "Look with `make status`, then run `make up` again."
        ),
        "canary_live_down": (
            "canary: {host} sees no replica of live up, so users get no answer from it. "
            "Look with `make status` and `make logs`."
        ),
        "canary_share_high": (
            "canary: {got} % of the requests went to the candidate, {asked} % were asked for. "
            "Look whether the entries run as declared (`make preview ARGS=--refresh`)."
        ),
        "canary_weight_lost": (
            "canary: {host} does not send users as it was told any more ({got}). "
            "Look whether its edge was restarted, then run `make up` again."
        ),
        "canary_counters_back": (
            "canary: {host}: the edge's counters went backwards: it was restarted meanwhile. "
            "Run `make up` again."
        ),
        "canary_counters_missing": (
            "canary: {host}: the edge tells no counters ({side}). "
            "Look whether it runs as declared (`make preview ARGS=--refresh`)."
        ),
        "canary_silent": (
            "canary: {host}: does not tell its figures ({why}). Look whether the host is well."
        ),
        "canary_metrics_missing": (
            "canary: {host}: replica {replica} ({side}) tells no metrics ({why}). "
            "Look with `make status` and `make logs`."
        ),
        "canary_histogram_missing": (
            "canary: {host}: replica {replica} ({side}) tells no durations: {metric} is missing. "
            "Serve a release that has it."
        ),
        "canary_other_release": (
            "canary: {host}: replica {replica} ({side}) is another release (got {got}, "
            "wanted {wanted}). Run `make up ARGS=--refresh`."
        ),
        "canary_restarted": (
            "canary: {host}: replica {replica} ({side}) was started again meanwhile. "
            "Look at its end with `make logs`."
        ),
        "canary_no_common_buckets": (
            "canary: live and candidate count durations by buckets that have no bound in common, "
            "so they cannot be compared. Keep some of live's."
        ),
        "canary_p95_beyond": (
            "canary: live's 95th percentile is beyond the last bucket, so nothing can be compared "
            "with it. Look at live first."
        ),
        "canary_p95_beyond_model": (
            "canary: model {model}: live's 95th percentile is beyond the last bucket, so nothing "
            "can be compared with it. Look at live first."
        ),
        "canary_p95_unsure": (
            "canary: the candidate's 95th percentile is {got} ms, over the limit of {limit} ms "
            "(live's is {live} ms), and so few requests may show that by chance. "
            "Raise rollout.min_samples."
        ),
        "canary_p95_unsure_model": (
            "canary: model {model}: the candidate's 95th percentile is {got} ms, over the limit of "
            "{limit} ms (live's is {live} ms), and so few requests may show that by chance. "
            "Raise rollout.min_samples."
        ),
        "canary_both_sick": (
            "canary: {got} % of the candidate's requests failed and {live} % of live's, both over "
            "the {promised} % that slo.success_ratio allows. Look at what both depend on first."
        ),
        "canary_shift_unanswered": (
            "canary: model {model}: {got} of {asked} requests that live and candidate were asked "
            "got no answer, so they cannot be compared. Look with `make logs`."
        ),
        "canary_fill_failed": (
            "canary: users bring too few requests, and the gate's that fill up did not run "
            "({why}). Look at the gate's log beside the verdict."
        ),
        "canary_fill_cpu": (
            "canary: the load generator that fills up used {got} % of its core (limit {limit} %). "
            "Give it a faster or a less busy machine."
        ),
        "canary_fill_offered": (
            "canary: the load generator that fills up offered {got} of {asked} requests/s. "
            "Give it a faster or a less busy machine."
        ),
        "canary_fill_lag": (
            "canary: the load generator that fills up sent requests up to {got} ms late "
            "(95th percentile, limit {limit} ms). Give it a less busy machine."
        ),
        "canary_fill_unanswered": (
            "canary: {got} of {asked} requests that fill up got no answer. "
            "Look at the line to the entries, and at the gate's log beside the verdict."
        ),
        "canary_fill_line": (
            "canary: {host}: the line to it was cut while requests filled up. Run `make up` again."
        ),
        "canary_fill_overload": (
            "canary: live's 95th percentile is {got} ms while requests fill up, over slo's "
            "{limit} ms: they were stopped, for the users' sake. Lower rollout.min_samples, or "
            "raise rollout.max_hold_s."
        ),
        "canary_prometheus_silent": (
            "canary: {url}: Prometheus does not answer ({why}). "
            "Look whether it runs and can be reached from here."
        ),
        "canary_token_file": (
            "canary: analysis.prometheus.token_file: {why} (got {path}). "
            "Put the token there, readable by you alone (chmod 600)."
        ),
        "canary_query_refused": (
            "canary: query {name}: Prometheus refuses it ({why}). Correct analysis."
        ),
        "canary_query_empty": (
            "canary: query {name} ({side}): gives nothing. "
            "Try it on Prometheus's own page; `or vector(0)` stands for none."
        ),
        "canary_query_many": (
            "canary: query {name} ({side}): gives {got} series, and one number is wanted. "
            "Put `sum(…)` around it."
        ),
        "canary_query_nan": (
            "canary: query {name} ({side}): gives no number (got {got}). "
            "Look whether it divides by nothing."
        ),
        "canary_query_kind": (
            "canary: query {name} ({side}): gives a {got}, and one number is wanted. "
            "Take the range off it."
        ),
        "canary_query_negative": (
            "canary: query {name}: live's value is below 0 (got {got}), so no share of it says "
            "what is worse. Use `at_most` or `at_least`."
        ),
    }
)
