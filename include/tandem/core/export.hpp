// TANDEM_API marks what libtandem exports: functions that are defined in the library, and classes
// with members that are, or that are told apart at run time (exceptions, classes with virtual
// functions). Everything else in the library is hidden from programs that link it.
#pragma once

#if defined(__GNUC__)
#define TANDEM_API __attribute__((visibility("default")))
#else
#define TANDEM_API
#endif
