"""Many small cases in one test: as tests of their own, most of their time would be pytest's."""

import functools
import inspect

from tinytorch_devkit import cases_of


def together(name, cases):
    """Run a test with each case, as `pytest.mark.parametrize` does, but as a single test.

    All cases run. The errors of those that fail are raised together, each with a note of its case.

    Args:
        name: the argument of the test that receives the case.
        cases: its values.
    """

    def decorate(test):
        signature = inspect.signature(test)

        @functools.wraps(test)
        def run(*args, **kwargs):
            errors = []
            for case in cases:
                try:
                    test(*args, **kwargs, **{name: case})
                except Exception as error:
                    error.add_note(f"with {name} = {getattr(case, 'id', case)!s:.200}")
                    errors.append(error)
            if errors:
                raise ExceptionGroup(f"{len(errors)} of {len(cases)} cases fail", errors)

        parameters = [p for p in signature.parameters.values() if p.name != name]
        run.__signature__ = signature.replace(parameters=parameters)
        return run

    return decorate


def conformance_cases(plugin):
    """Return the cases of the conformance kit by op, without those that are left out."""
    by_subject = {}
    for case in cases_of(plugin):
        if case.left_out is None:
            by_subject.setdefault(case.subject, []).append(case)
    return by_subject


def run_all(cases):
    """Run cases of the conformance kit; the errors of all that fail are raised together."""
    together("case", cases)(lambda case: case())()
